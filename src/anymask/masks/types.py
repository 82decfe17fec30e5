"""What comes out: run-length encoded masks with their scores, as one typed value per picture."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from anymask.errors import MaskError


@dataclass(frozen=True, slots=True)
class Rle:
    """One mask as COCO compressed run lengths (column-major, first run is background)."""

    size_hw: tuple[int, int]
    """Height and width in pixels."""
    counts: bytes
    """COCO's compressed counts string (ASCII)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskSet:
    """The masks of one picture with what is known of each; all arrays have M rows, in the same order.

    Boxes are (x0, y0, x1, y1) in original pixels with right and bottom edges exclusive; an empty mask has a box of
    zeros.
    """

    size_hw: tuple[int, int]
    """Height and width of the picture in original pixels."""
    rles: tuple[Rle, ...]
    area_px: npt.NDArray[np.int64]
    """(M,) foreground pixels."""
    boxes_xyxy: npt.NDArray[np.float32]
    """(M, 4) original pixels."""
    predicted_iou: npt.NDArray[np.float32]
    """(M,) the model's own estimate; NaN where no model made the mask."""
    stability: npt.NDArray[np.float32]
    """(M,) IoU of the mask at two logit thresholds; NaN where not measured."""
    points_xy: npt.NDArray[np.float32]
    """(M, 2) the point prompt that gave the mask, original pixels; NaN where none."""
    crop_boxes_xyxy: npt.NDArray[np.float32]
    """(M, 4) the crop the mask was found in, original pixels."""
    parents: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """(M,) index of the smallest mask that contains this one, -1 for none; length 0 when no tree was asked for."""

    def __post_init__(self) -> None:
        m = len(self.rles)
        shapes = {
            "area_px": (m,),
            "boxes_xyxy": (m, 4),
            "predicted_iou": (m,),
            "stability": (m,),
            "points_xy": (m, 2),
            "crop_boxes_xyxy": (m, 4),
        }
        for name, shape in shapes.items():
            got = getattr(self, name).shape
            if got != shape:
                raise MaskError(f"MaskSet.{name} has shape {got}, expected {shape} for {m} masks")
        if self.parents.shape not in ((0,), (m,)):
            raise MaskError(f"MaskSet.parents has shape {self.parents.shape}, expected (0,) or ({m},)")
        for index, rle in enumerate(self.rles):
            if rle.size_hw != self.size_hw:
                raise MaskError(f"mask {index} has size {rle.size_hw}, the picture has {self.size_hw}")

    def __len__(self) -> int:
        return len(self.rles)

    def take(self, index: npt.ArrayLike) -> MaskSet:
        """The masks at `index` (integers or booleans), in that order; the tree is dropped."""
        rows = np.arange(len(self))[np.asarray(index)]
        return replace(
            self,
            rles=tuple(self.rles[i] for i in rows),
            area_px=self.area_px[rows],
            boxes_xyxy=self.boxes_xyxy[rows],
            predicted_iou=self.predicted_iou[rows],
            stability=self.stability[rows],
            points_xy=self.points_xy[rows],
            crop_boxes_xyxy=self.crop_boxes_xyxy[rows],
            parents=np.zeros(0, np.int64),
        )
