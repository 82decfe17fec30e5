"""A small encoder learns from a large one; prompt encoder and decoder stay the large model's.

Decoupled, as MobileSAM (Zhang et al. 2023, arXiv 2306.14289) does it: the encoder alone is trained, towards the large
encoder's embedding, so that the decoder it was made for understands it at once. EdgeSAM (Zhou et al. 2023, arXiv
2312.06660) adds what the decoder answers; here that is `target="masks"`: the same clicks on both embeddings through the
one frozen decoder, whose masks need no matching.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from anymask.errors import ConfigError, DatasetError
from anymask.figures.overlays import overlay
from anymask.figures.pictures import encode
from anymask.figures.sheets import contact_sheet
from anymask.images.augment import ViewConfig, random_view
from anymask.masks.overlap import mask_iou_pairs
from anymask.model.embedding import ImageEmbedding
from anymask.model.image_encoder import VitConfig
from anymask.model.sam import MaskPrediction, Sam, SamConfig
from anymask.model.tiny_encoder import TinyEncoderConfig
from anymask.model.weights import save as save_weights
from anymask.prompts.types import FOREGROUND, PADDING, PromptBatch
from anymask.runs import RunFolder, write_atomically
from anymask.training.ahead import Ahead
from anymask.training.batches import Records
from anymask.training.embedding_cache import EmbeddingCache
from anymask.training.group import Group
from anymask.training.loop import Loop, Share
from anymask.training.losses import LossConfig, mask_losses
from anymask.training.mixture import mix_sets
from anymask.training.schedule import OptimizerConfig

_CLICKS_SHOWN = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class DistillConfig:
    """One distillation."""

    encoder: VitConfig | TinyEncoderConfig
    """The small encoder; its embedding must have the large one's channels and stride."""
    steps: int
    """Optimiser steps."""
    first_step: int = 0
    """Steps taken before this run began, when it goes on from weights alone."""
    pictures: int = 8
    """Pictures a step, of all processes together."""
    target: Literal["embedding", "masks", "both"] = "embedding"
    """What is learned: the large encoder's embedding (squared error), its masks for random clicks, or both."""
    clicks: int = 8
    """Random clicks a picture, for masks."""
    mask_weight: float = 0.1
    """Weight of the masks' loss beside the embedding's."""
    losses: LossConfig = field(default_factory=LossConfig)
    """Weights of the terms of the masks' loss."""
    view: ViewConfig = field(default_factory=ViewConfig)
    """Random crops, scales, flips and colours; labels are not looked at."""
    optimizer: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(lr=1e-3, kind="cosine"))
    """AdamW and its schedule."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the forward pass; bfloat16 by autocast, weights stay float32."""
    embedding_cache_gib: float = 0.0
    """The large encoder's embeddings kept on disk, in GiB: a view seen before is not embedded again."""
    exclude_sets: tuple[str, ...] = ()
    """Sets of the data that are left out by name."""
    seed: int = 0
    """Of everything random."""
    checkpoint_every: int = 100
    """Steps between checkpoints."""
    validate_every: int = 500
    """Steps between calls of the validation function; 0 for never."""
    sheet_every: int = 100
    """Steps between contact sheets, the large model's answers beside the small one's; 0 for none."""

    def __post_init__(self) -> None:
        for name in ("steps", "pictures", "clicks", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"DistillConfig.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("mask_weight", "embedding_cache_gib"):
            if getattr(self, name) < 0:
                raise ConfigError(f"DistillConfig.{name} must not be negative, got {getattr(self, name)}")
        if not 0 <= self.first_step < self.steps:
            raise ConfigError(f"DistillConfig.first_step must be in 0..{self.steps - 1}, got {self.first_step}")


def student_of(teacher: Sam, encoder: VitConfig | TinyEncoderConfig) -> Sam:
    """`teacher` with another encoder, of random weights, in place of its own; all else is the teacher's.

    Raises: ConfigError when the decoder would not understand the encoder's embedding.
    """
    wanted = teacher.config.mask_decoder.dim
    channels = encoder.out_dim if isinstance(encoder, VitConfig) else encoder.dim
    if channels != wanted:
        raise ConfigError(f"the small encoder gives {channels} channels, the large model's decoder takes {wanted}")
    if teacher.config.mask_decoder.skip_finer:
        raise ConfigError("the large model's decoder takes finer maps too; distil from one without, such as vit_b")
    student = Sam(
        SamConfig(
            image_encoder=encoder,
            prompt_encoder=teacher.config.prompt_encoder,
            mask_decoder=teacher.config.mask_decoder,
            input_size=teacher.config.input_size,
            pixel_mean=teacher.config.pixel_mean,
            pixel_std=teacher.config.pixel_std,
        )
    )
    student.prompt_encoder.load_state_dict(teacher.prompt_encoder.state_dict())
    student.mask_decoder.load_state_dict(teacher.mask_decoder.state_dict())
    return student


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One view of one picture."""

    name: str
    pixels: npt.NDArray[np.uint8]
    """(S, S, 3) RGB, padded bottom/right with zeros."""
    content_hw: tuple[int, int]
    """Height and width that the picture takes."""
    clicks_xy: npt.NDArray[np.float32]
    """(K, 1, 2) random places on the picture, input pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """The views of the last step with what both encoders made of the first of them."""

    views: list[View]
    cosine: list[float]
    first: tuple[ImageEmbedding, ImageEmbedding] | None
    """The large encoder's and the small one's."""


class Distiller(Loop[Sam]):
    """A run of distillation; what it writes is a whole model, ready to use."""

    def __init__(
        self,
        config: DistillConfig,
        teacher: Sam,
        records: Records,
        run: RunFolder,
        group: Group | None = None,
    ) -> None:
        """Start with a random encoder, or go on from the newest checkpoint of `run`.

        Raises: DatasetError when there are no records; ConfigError as `student_of`.
        """
        if len(records) == 0:
            raise DatasetError("there are no training pictures; check the paths and the set names left out")
        torch.manual_seed(config.seed)
        model = student_of(teacher, config.encoder).to(teacher.device)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith("image_encoder."))
        super().__init__(config, model, run, group)
        self.config, self.teacher, self.records = config, teacher.eval().requires_grad_(requires_grad=False), records
        self._mixture = mix_sets([""] * len(records), (), config.seed)
        self._ahead = Ahead[int, list[View]](self.make)
        self._cache: EmbeddingCache | None = None
        if config.embedding_cache_gib:
            self._cache = EmbeddingCache(run.path / "embeddings", round(config.embedding_cache_gib * 2**30))
        self._seen = _Seen([], [], None)
        self.restore()

    def close(self) -> None:
        self._ahead.close()
        super().close()

    def write(self, path: Path) -> None:
        save_weights(self.model, path, {"step": str(self.step)})

    def make(self, step: int) -> list[View]:
        """This process's share of the views of `step`; each depends on seed, step and place in the batch alone."""
        return [self._view(step, place) for place in self.group.share(self.config.pictures)]

    def _view(self, step: int, place: int) -> View:
        record = self.records[self._mixture.at(step * self.config.pictures + place)]
        rng = np.random.default_rng((self.config.seed, 1, step, place))
        pixels, _, content_hw = random_view(record.pixels(), [], self.model.input_size, self.config.view, rng)
        clicks = rng.uniform((0, 0), content_hw[::-1], (self.config.clicks, 2)).astype(np.float32)
        return View(record.name, pixels, content_hw, clicks[:, None])

    def learn_from(self, step: int) -> Share:
        (views,) = self._ahead.get([step], [step + 1] if step + 1 < self.config.steps else [])
        losses: list[float] = []
        self._seen = _Seen(views, [], None)
        for view in views:
            target = self._target(view)
            with self.autocast():
                own = self.model.embed(_images(self.model, view))
                loss = self._loss(view, own, target)
            losses.append(float(loss.detach()))
            if not np.isfinite(losses[-1]):
                return Share(losses, is_finite=False)
            torch.autograd.backward(loss)
            main = own.main.detach().float()
            self._seen.cosine.append(float(F.cosine_similarity(main, target.main.float()).mean()))
            if self._seen.first is None:
                self._seen = replace(self._seen, first=(target, ImageEmbedding(main)))
        return Share(losses)

    def _target(self, view: View) -> ImageEmbedding:
        """What the large encoder makes of the view; from the cache when it was seen before."""

        @torch.no_grad()
        def embed() -> ImageEmbedding:
            with self.autocast():
                return self.teacher.embed(_images(self.teacher, view))

        if self._cache is None:
            return embed()
        key = view.pixels.tobytes() + repr((view.pixels.shape, view.content_hw)).encode()
        return self._cache.get(key, self.teacher.device, embed)

    def _loss(self, view: View, own: ImageEmbedding, target: ImageEmbedding) -> Tensor:
        loss = own.main.new_zeros(())
        if self.config.target != "masks":
            loss = loss + F.mse_loss(own.main.float(), target.main.float())
        if self.config.target != "embedding":
            prepared = self.model.prepare(ImageEmbedding(own.main))
            answer = self.model.decode_all(prepared, _prompts(view, own.main.device))
            with torch.no_grad():
                wanted = self._answer(target, view).logits.float().sigmoid()
            logits, soft = answer.logits.float().flatten(0, 1)[:, None], wanted.flatten(0, 1)[:, None]
            loss = loss + self.config.mask_weight * mask_losses(logits, soft, self.config.losses, "paper").mean()
        return loss

    def _answer(self, embedding: ImageEmbedding, view: View) -> MaskPrediction:
        """All masks of the large model's decoder for the view's clicks."""
        prompts = _prompts(view, embedding.main.device)
        return self.teacher.decode_all(self.teacher.prepare(ImageEmbedding(embedding.main)), prompts)

    def describe(self) -> dict[str, float]:
        cosines = [value for share in self.group.gather(self._seen.cosine) for value in share]
        return {"cosine": float(np.mean(cosines))} if cosines else {}

    @torch.no_grad()
    def draw(self, path: Path) -> None:
        """Masks of the first view's clicks: the large model's beside those from the small encoder's embedding."""
        if self._seen.first is None:
            return
        view, tiles, titles = self._seen.views[0], [], []
        answers = [self._answer(embedding, view) for embedding in self._seen.first]
        best = answers[0].iou.argmax(1)
        rows = torch.arange(len(best), device=best.device)
        large, small = (_full_size(answer.logits[rows, best], view) for answer in answers)
        agreement = mask_iou_pairs(large, small)
        for index in range(min(_CLICKS_SHOWN, len(large))):
            pair = [overlay(view.pixels, [mask[index]]) for mask in (large, small)]
            tiles.append(np.concatenate(pair, axis=1))
            titles.append(f"{view.name}: agree {agreement[index]:.2f}")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, encode(contact_sheet(tiles, titles, columns=_CLICKS_SHOWN), "jpeg"))


def _images(model: Sam, view: View) -> Tensor:
    """(1, 3, S, S) normalised."""
    return model.normalise_padded(torch.from_numpy(view.pixels).permute(2, 0, 1)[None], [view.content_hw])


def _prompts(view: View, device: torch.device) -> PromptBatch:
    """A foreground click a prompt, and padding."""
    points = torch.from_numpy(np.concatenate((view.clicks_xy, np.zeros_like(view.clicks_xy)), axis=1))
    return PromptBatch(points.to(device), torch.tensor([[FOREGROUND, PADDING]] * len(points), device=device))


def _full_size(logits: Tensor, view: View) -> npt.NDArray[np.bool_]:
    """(K, h, w) logits -> (K, S, S) masks."""
    size = view.pixels.shape[:2]
    grown = F.interpolate(logits[:, None].float(), size, mode="bilinear", align_corners=False)
    masks: npt.NDArray[np.bool_] = grown[:, 0].gt(0).cpu().numpy()
    return masks
