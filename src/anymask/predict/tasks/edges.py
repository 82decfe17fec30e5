"""Edges of a picture: where the masks of a grid of clicks end.

Source: paper, section 7.2 and appendix D.2, in its order: 16 x 16 clicks, three masks each, no filter by predicted IoU
or stability, box suppression, Sobel of each mask's probability on its outer boundary pixels, highest over the masks,
stretched to [0, 1], edge suppression. Left open there and decided here: suppression as in everything-mode (box IoU over
.7, by predicted IoU); outer boundary pixels are the background pixels that touch the mask, corners included; edge
suppression in the form that published edge maps went through, with edges weakened near the picture's border.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from anymask.errors import ConfigError
from anymask.images.edges import edge_nms, sobel
from anymask.images.load import ImageSource, LoadedImage, load_image
from anymask.masks.borders import outer_ring
from anymask.masks.suppress import nms
from anymask.predict.batching import batch_clicks
from anymask.predict.predictor import Predictor, ReadyImage
from anymask.predict.tracing import Thresholds, Tracer
from anymask.prompts.grid import point_grid

Floats = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with the points done and the points in all, after every batch."""

_MASKS_AT_ONCE = 8
"""Masks brought to the picture's size together; bounds memory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgesConfig:
    """How edges are found. The defaults are the paper's."""

    points_per_side: int = 16
    """Clicks along each side of the picture."""
    points_per_batch: int = 64
    """Clicks decoded together; changes memory and speed only."""
    box_nms_threshold: float = 0.7
    """Box IoU above which the mask of lower predicted IoU is a double."""
    thin: bool = True
    """Keep ridges only (edge suppression); off, edges are bands a few pixels wide."""
    border_px: int = 5
    """Edges are weakened over so many pixels towards the picture's border, where masks end because the picture does."""

    def __post_init__(self) -> None:
        for name in ("points_per_side", "points_per_batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"EdgesConfig.{name} must be at least 1, got {getattr(self, name)}")
        if self.border_px < 0:
            raise ConfigError(f"EdgesConfig.border_px must be at least 0, got {self.border_px}")
        if not 0 <= self.box_nms_threshold <= 1:
            raise ConfigError(f"EdgesConfig.box_nms_threshold must be in [0, 1], got {self.box_nms_threshold}")


def find_edges(
    predictor: Predictor,
    image: ImageSource | LoadedImage,
    config: EdgesConfig | None = None,
    progress: Progress | None = None,
) -> Floats:
    """(H, W) float32 of [0, 1], original pixels: how sure an edge is; 0 nearly everywhere when `config.thin`.

    The images set in `predictor` stay as they are.

    Raises: ImageError.
    """
    config = config or EdgesConfig()
    loaded = image if isinstance(image, LoadedImage) else load_image(image, predictor.limits)
    ready = ReadyImage(predictor.model, predictor.embed(loaded))
    strength = _strongest(ready, _distinct_masks(ready, config, progress))
    low, high = float(strength.min()), float(strength.max())
    if high > low:
        strength = (strength - low) / (high - low)
    return edge_nms(strength, fade_px=config.border_px) if config.thin else strength


def _distinct_masks(ready: ReadyImage, config: EdgesConfig, progress: Progress | None) -> Tensor:
    """(M, S, S) low-res logits of the masks of all clicks that are left when doubles and empty ones are gone."""
    height, width = ready.frame.original_hw
    points_xy = point_grid(config.points_per_side) * (width, height)
    tracer = Tracer(ready.frame, ready.model.mask_size, thresholds=Thresholds(mask=ready.model.mask_threshold))
    kept: list[Tensor] = []
    boxes: list[npt.NDArray[np.int64]] = []
    ious: list[Floats] = []
    for start in range(0, len(points_xy), config.points_per_batch):
        batch = points_xy[start : start + config.points_per_batch]
        answer = ready.decode(batch_clicks(batch, ready.frame), multimask=True)
        logits = answer.logits.flatten(0, 1).float().cpu()
        traced = tracer.trace(logits.numpy())
        filled = np.flatnonzero(traced.area_px)
        kept.append(logits[filled])
        # As in everything-mode, boxes end on the last pixel here.
        boxes.append(traced.boxes_xyxy[filled] - (0, 0, 1, 1))
        ious.append(answer.iou.float().flatten().cpu().numpy()[filled])
        if progress is not None:
            progress(start + len(batch), len(points_xy))
    return torch.cat(kept)[nms(np.concatenate(boxes), np.concatenate(ious), config.box_nms_threshold)]


def _strongest(ready: ReadyImage, logits: Tensor) -> Floats:
    """(H, W): at each pixel the steepest mask that has it on its outer boundary; 0 where none has."""
    strength = np.zeros(ready.frame.original_hw, np.float32)
    for start in range(0, len(logits), _MASKS_AT_ONCE):
        full = ready.frame.to_original_logits(logits[None, start : start + _MASKS_AT_ONCE])[0]
        probability = torch.sigmoid(full).numpy()
        for mask, field in zip((full > ready.model.mask_threshold).numpy(), probability, strict=True):
            np.maximum(strength, np.where(outer_ring(mask), sobel(field), 0), out=strength)
    return strength
