"""Boxes of objects of any class, from an image embedding alone: a light head that the encoder knows nothing of.

Anchor-free, as FCOS (Tian et al. 2019, arXiv 1904.01355): every cell of four maps says whether it lies in the middle
of an object, and where that object's box is. Without anchors nothing has to be fitted to the pictures at hand, and the
maps are those that an embedding has. Objects go to a map by their longest side, so that a part does not compete with
the whole that has the same middle. Two things are ours: a cell gives the way to the box's middle and its size instead
of four distances, which also describes a box smaller than the cell; and there is one score, the IoU that the box is
expected to have (Li et al. 2020, arXiv 2006.04388), instead of a class and a centre-ness.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anymask.errors import AnymaskError, ConfigError, EmbeddingMismatchError, WeightsError
from anymask.masks.suppress import nms
from anymask.model.embedding import ImageEmbedding
from anymask.model.safe_file import (
    check_depths,
    check_digest,
    check_finite,
    check_shapes,
    content_digest,
    read_safe,
    write_safe,
)
from anymask.model.sam import Sam
from anymask.runs import from_plain, to_plain

STRIDES = (8, 16, 32, 64)
"""Input pixels a cell of each map is wide."""
LONGEST_SIDE = 8
"""A map finds objects whose longest side is up to this many of its cells; the last map finds all that are larger."""
USUAL_SIDE = 4.0
"""Side of a box, in cells, before anything is learned."""
_MOST_LOG_SIZE = 4.0
_PRIOR = 0.02
"""Score of every cell before anything is learned. Source: Lin et al. 2017, arXiv 1708.02002, section 4.1."""
_GROUPS = 8
_KIND, _DETECTOR, _CONFIG, _MODEL = "kind", "anymask object detector", "detector_config", "model_sha256"


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectDetectorConfig:
    """Widths of the head, and the embedding that it reads."""

    main_channels: int
    """Channels of the embedding's main map."""
    finer_channels: tuple[int, ...] = ()
    """Channels of its finer maps, from coarse to fine; none for ViT encoders."""
    input_size: int = 1024
    """Side of the padded square input in pixels; a multiple of 32."""
    width: int = 64
    """Channels of the head."""
    depth: int = 2
    """Convolutions that the maps share, before those for score and box."""

    def __post_init__(self) -> None:
        if self.width < 2 * _GROUPS or self.width % _GROUPS:
            raise ConfigError(
                f"ObjectDetectorConfig.width must be a multiple of {_GROUPS} from {2 * _GROUPS} on, got {self.width}"
            )
        if self.depth < 1 or self.main_channels < 1 or any(channels < 1 for channels in self.finer_channels):
            raise ConfigError("ObjectDetectorConfig.depth and all channels must be at least 1")
        if self.input_size < 32 or self.input_size % 32:
            raise ConfigError(f"ObjectDetectorConfig.input_size must be a multiple of 32, got {self.input_size}")

    @staticmethod
    def reading(model: Sam, *, width: int = 64, depth: int = 2) -> ObjectDetectorConfig:
        """The configuration for the embeddings of `model`."""
        dim, finer = model.config.prompt_encoder.dim, getattr(model.config.image_encoder, "finer_channels", ())
        return ObjectDetectorConfig(
            main_channels=dim, finer_channels=tuple(finer), input_size=model.input_size, width=width, depth=depth
        )


@dataclass(frozen=True, slots=True, eq=False)
class CellAnswers:
    """What every cell of all maps says of B images, map after map, row by row."""

    score_logits: Tensor
    """(B, L)."""
    boxes_xyxy: Tensor
    """(B, L, 4) input pixels, neither cut to the picture nor rid of doubles."""


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The boxes found in one image, best first."""

    boxes_xyxy: npt.NDArray[np.float32]
    """(D, 4) input pixels, inside the picture."""
    scores: npt.NDArray[np.float32]
    """(D,) expected IoU with an object's box, 0 to 1."""


def cell_centres(input_size: int) -> Tensor:
    """(L, 3) float32: x, y (input pixels) and stride of the middle of every cell, map after map, row by row.

    >>> cell_centres(64)[0].tolist(), cell_centres(64)[-1].tolist()
    ([4.0, 4.0, 8.0], [32.0, 32.0, 64.0])
    """
    parts = []
    for stride in STRIDES:
        middles = (torch.arange(_cells_across(input_size, stride)) + 0.5) * stride
        y, x = torch.meshgrid(middles, middles, indexing="ij")
        parts.append(torch.stack((x, y, torch.full_like(x, stride)), dim=-1).reshape(-1, 3))
    return torch.cat(parts)


class ObjectDetector(nn.Module):
    """An embedding in, boxes of objects out."""

    cells: Tensor

    def __init__(self, config: ObjectDetectorConfig, model_sha256: str) -> None:
        """Random weights for the embeddings of the model with this hash (`model.weights.model_hash`)."""
        super().__init__()
        self.config, self.model_sha256 = config, model_sha256
        width = config.width
        self.from_main = nn.Sequential(nn.Conv2d(config.main_channels, width, 1), nn.GroupNorm(_GROUPS, width))
        # A finer map is folded until its cells are 8 input pixels wide: nothing of it is thrown away.
        folds = [4**index for index in range(len(config.finer_channels))]
        folded = [channels * fold for channels, fold in zip(config.finer_channels, folds, strict=True)]
        self.from_finer = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, width, 1), nn.GroupNorm(_GROUPS, width)) for channels in folded
        )
        self.finest = _convolution(width)
        self.coarser = nn.ModuleList(_convolution(width, stride=2) for _ in STRIDES[2:])
        self.shared = nn.Sequential(*(_convolution(width) for _ in range(config.depth)))
        self.score, self.box = nn.Conv2d(width, 1, 3, padding=1), nn.Conv2d(width, 4, 3, padding=1)
        self.map_bias = nn.Parameter(torch.full((len(STRIDES),), float(np.log(_PRIOR / (1 - _PRIOR)))))
        nn.init.normal_(self.box.weight, std=0.01)
        nn.init.normal_(self.score.weight, std=0.01)
        for layer in (self.box, self.score):
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
        self.register_buffer("cells", cell_centres(config.input_size), persistent=False)

    def forward(self, embedding: ImageEmbedding) -> CellAnswers:
        """The answers of all cells to B images; the embedding may be of any float type."""
        logits, boxes = [], []
        counts = [_cells_across(self.config.input_size, stride) ** 2 for stride in STRIDES]
        cells = torch.split(self.cells, counts)
        for index, features in enumerate(self._maps(embedding)):
            shared = self.shared(features)
            logits.append((self.score(shared) + self.map_bias[index]).flatten(1))
            boxes.append(_boxes(self.box(shared).flatten(2).transpose(1, 2), cells[index]))
        return CellAnswers(torch.cat(logits, dim=1), torch.cat(boxes, dim=1))

    def _maps(self, embedding: ImageEmbedding) -> list[Tensor]:
        """(B, width, S/s, S/s) for each stride s."""
        dtype = self.map_bias.dtype
        main = self.from_main(embedding.main.to(dtype))
        fine = F.interpolate(main, scale_factor=2.0, mode="bilinear", align_corners=False)
        for index, (project, finer) in enumerate(zip(self.from_finer, embedding.finer, strict=True)):
            fine = fine + project(F.pixel_unshuffle(finer.to(dtype), 2**index))
        maps = [self.finest(F.relu(fine)), main]
        for coarser in self.coarser:
            maps.append(coarser(maps[-1]))
        return maps

    @torch.no_grad()
    def detect(
        self,
        embedding: ImageEmbedding,
        content_hw: Sequence[tuple[int, int]],
        *,
        confidence: float = 0.05,
        nms_threshold: float = 0.5,
        most: int = 300,
    ) -> list[Detections]:
        """The boxes of each of B images with a score of `confidence` or more, doubles removed.

        `content_hw` is the height and width, in input pixels, that each picture takes; what lies outside is padding,
        where nothing is found.
        """
        answers = self(embedding)
        scores = answers.score_logits.float().sigmoid().cpu().numpy()
        boxes = answers.boxes_xyxy.float().cpu().numpy()
        cells = self.cells.cpu().numpy()
        found = []
        for one_scores, one_boxes, (height, width) in zip(scores, boxes, content_hw, strict=True):
            limits = np.array([width, height, width, height], np.float32)
            cut = np.clip(one_boxes, 0, limits)
            inside = (cells[:, 0] < width) & (cells[:, 1] < height) & (cut[:, 2] - cut[:, 0] >= 1)
            keep = np.flatnonzero((one_scores >= confidence) & inside & (cut[:, 3] - cut[:, 1] >= 1))
            keep = keep[nms(cut[keep], one_scores[keep], nms_threshold)][:most]
            found.append(Detections(cut[keep], one_scores[keep]))
        return found

    def sha256(self) -> str:
        """Hex sha256 of configuration, model and weights as they are now."""
        return content_digest(self._notes(), self.state_dict())

    def check_model(self, model_sha256: str) -> None:
        """Raises EmbeddingMismatchError when this detector reads the embeddings of another model."""
        if self.model_sha256 != model_sha256:
            raise EmbeddingMismatchError(
                f"the detector reads embeddings of model {self.model_sha256[:12]}..., these are of "
                f"{model_sha256[:12]}...; train a detector for that model, or load the model it was trained on"
            )

    def save(self, path: Path | str, metadata: Mapping[str, str] | None = None) -> None:
        """Write the detector as a safetensors file that says what it is and which model it belongs to.

        `metadata` is free text kept beside the configuration.

        Raises: WeightsError when the file cannot be written, or a weight is not finite.
        """
        write_safe(Path(path), self.state_dict(), {**(metadata or {}), **self._notes()})

    @staticmethod
    def load(path: Path | str, *, device: torch.device | str = "cpu") -> ObjectDetector:
        """The detector that `save` wrote to `path`, in eval mode; the caller checks the model (`check_model`).

        Raises: WeightsError when the file is missing, damaged, or holds something else.
        """
        path = Path(path)
        state, notes = read_safe(path)
        if notes.get(_KIND) != _DETECTOR:
            raise WeightsError(f"{path} does not hold an object detector; give the detector.safetensors of a training")
        check_digest(path, state, notes)
        try:
            plain = json.loads(notes.get(_CONFIG, ""))
            check_depths(plain, len(state))
            config = from_plain(ObjectDetectorConfig, plain)
            # Shapes first, on a device without memory: sizes claimed by a file must not be allocated on its word.
            with torch.device("meta"):
                expected = {name: value.shape for name, value in ObjectDetector(config, "").state_dict().items()}
        except (AnymaskError, RuntimeError, ValueError, TypeError, RecursionError, ArithmeticError) as error:
            raise WeightsError(f"{path} carries a detector configuration that cannot be used: {error}") from error
        check_shapes(state, expected, str(path))
        check_finite(state, str(path))
        detector = ObjectDetector(config, notes.get(_MODEL, ""))
        detector.load_state_dict(state)
        return detector.eval().to(device)

    def _notes(self) -> dict[str, str]:
        return {_KIND: _DETECTOR, _CONFIG: json.dumps(to_plain(self.config)), _MODEL: self.model_sha256}


def _cells_across(input_size: int, stride: int) -> int:
    return -(-input_size // stride)


def _convolution(width: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, stride=stride, padding=1), nn.GroupNorm(_GROUPS, width), nn.ReLU(inplace=True)
    )


def _boxes(raw: Tensor, cells: Tensor) -> Tensor:
    """(B, L, 4) ways to the middle and log sizes, (L, 3) cells -> (B, L, 4) xyxy, input pixels."""
    strides = cells[:, 2:]
    middle = cells[:, :2] + raw[..., :2] * strides
    half = raw[..., 2:].clamp(-_MOST_LOG_SIZE, _MOST_LOG_SIZE).exp() * (USUAL_SIDE / 2) * strides
    return torch.cat((middle - half, middle + half), dim=-1)
