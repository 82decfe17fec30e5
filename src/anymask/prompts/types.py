"""What goes in: one prompt as a person means it, and a batch of prompts as the model takes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from anymask.errors import PromptError

BACKGROUND, FOREGROUND, BOX_TOP_LEFT, BOX_BOTTOM_RIGHT, PADDING = 0, 1, 2, 3, -1
"""Point labels; a box is its two corners. Source: the public implementation's prompt encoder and ONNX model."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prompt:
    """One prompt: any mix of points, a box, a rough mask and text. Coordinates are (x, y) original pixels.

    Raises: PromptError for a wrong shape, a value that is not finite, a label other than 0 or 1, an inverted box,
    both `mask` and `mask_logits`, or nothing at all.
    """

    points_xy: npt.NDArray[np.float32] | None = None
    """(N, 2) original pixels; pixel (3, 5)'s centre is given as 3, 5, as in the public implementation."""
    labels: npt.NDArray[np.int64] | None = None
    """(N,) 1 foreground, 0 background; all foreground when left out."""
    box_xyxy: npt.NDArray[np.float32] | None = None
    """(4,) original pixels."""
    mask: npt.NDArray[np.bool_] | None = None
    """(H, W) bool, the size of the original picture."""
    mask_logits: npt.NDArray[np.float32] | None = None
    """(mask_size, mask_size) logits of an earlier answer, in the padded input frame."""
    text: str | None = None

    def __post_init__(self) -> None:
        if self.points_xy is not None:
            points = np.asarray(self.points_xy, np.float32)
            if points.ndim != 2 or points.shape[1] != 2 or len(points) == 0:
                raise PromptError(f"points_xy has shape {points.shape}, expected (N, 2) with N >= 1")
            if not np.isfinite(points).all():
                raise PromptError("points_xy has a coordinate that is not finite; give pixel numbers")
            labels = np.ones(len(points), np.int64) if self.labels is None else np.asarray(self.labels)
            if labels.shape != (len(points),) or not np.isin(labels, (BACKGROUND, FOREGROUND)).all():
                raise PromptError(f"labels must be {len(points)} of 1 (foreground) or 0 (background), got {labels}")
            object.__setattr__(self, "points_xy", points)
            object.__setattr__(self, "labels", labels.astype(np.int64))
        elif self.labels is not None:
            raise PromptError("labels were given without points_xy; give one point per label")
        if self.box_xyxy is not None:
            box = np.asarray(self.box_xyxy, np.float32)
            if box.shape != (4,) or not np.isfinite(box).all():
                raise PromptError(f"box_xyxy must be 4 finite numbers x0, y0, x1, y1, got {self.box_xyxy}")
            if box[2] < box[0] or box[3] < box[1]:
                raise PromptError(f"box_xyxy {box.tolist()} ends before it starts; give x0, y0, x1, y1")
            object.__setattr__(self, "box_xyxy", box)
        if self.mask is not None:
            if self.mask_logits is not None:
                raise PromptError("give mask or mask_logits, not both")
            mask = np.asarray(self.mask)
            if mask.ndim != 2:
                raise PromptError(f"mask has shape {mask.shape}, expected (H, W)")
            object.__setattr__(self, "mask", mask.astype(bool))
        if self.mask_logits is not None:
            logits = np.asarray(self.mask_logits, np.float32)
            if logits.ndim != 2 or not np.isfinite(logits).all():
                raise PromptError(f"mask_logits has shape {logits.shape}, expected two axes of finite values")
            object.__setattr__(self, "mask_logits", logits)
        if self.text is not None and not self.text.strip():
            raise PromptError("text is empty; name what to segment")
        given = (self.points_xy, self.box_xyxy, self.mask, self.mask_logits, self.text)
        if all(part is None for part in given):
            raise PromptError("a prompt needs at least a point, a box, a mask or text")


@dataclass(frozen=True, slots=True, eq=False)
class PromptBatch:
    """P prompts of one image with the same number of tokens, as the model takes them. Coordinates are *input* pixels.

    A box is two points labelled BOX_TOP_LEFT and BOX_BOTTOM_RIGHT; prompts without a box carry one PADDING point,
    as the public implementation does. `mask_logits` is (P, 1, mask_size, mask_size) or None.
    """

    points_xy: Tensor
    """(P, N, 2) float32 input pixels."""
    labels: Tensor
    """(P, N) int64, see the constants of this module."""
    mask_logits: Tensor | None = None

    def __len__(self) -> int:
        return int(self.points_xy.shape[0])

    def chunks(self, size: int) -> list[PromptBatch]:
        """The same prompts in batches of at most `size`."""
        return [
            PromptBatch(
                self.points_xy[i : i + size],
                self.labels[i : i + size],
                None if self.mask_logits is None else self.mask_logits[i : i + size],
            )
            for i in range(0, len(self), size)
        ]

    def to(self, device: torch.device | str) -> PromptBatch:
        """The same batch on `device`."""
        logits = None if self.mask_logits is None else self.mask_logits.to(device)
        return PromptBatch(self.points_xy.to(device), self.labels.to(device), logits)
