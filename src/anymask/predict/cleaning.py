"""Small holes filled and small islands removed from the masks of everything-mode, and new doubles suppressed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from anymask.masks.boxes import rle_to_box
from anymask.masks.rle import area
from anymask.masks.run_regions import fill_and_clean_rle
from anymask.masks.suppress import nms
from anymask.masks.types import MaskSet


def inclusive_boxes(masks: MaskSet) -> npt.NDArray[np.float32]:
    """(M, 4) boxes that end on the last pixel instead of one past it.

    The public generator compares such boxes in its suppression; where two overlap by nearly the threshold, the other
    convention would decide differently.
    """
    boxes = masks.boxes_xyxy.copy()
    boxes[masks.area_px > 0, 2:] -= 1
    return boxes


def clean_masks(masks: MaskSet, region_area_px: int, nms_threshold: float, *, drop_small: bool) -> MaskSet:
    """The masks with holes and islands of less than `region_area_px` gone, and new doubles suppressed.

    Masks that were left as they are win over those that were changed. When every island of a mask is small its largest
    stays, or the mask goes with `drop_small`. Predicted IoU and stability stay those of the mask before.

    Source: segment_anything 1.0, `automatic_mask_generator.py`, `postprocess_small_regions`; dropping small masks is
    the paper's (appendix B).
    """
    rles, boxes = list(masks.rles), masks.boxes_xyxy.copy()
    area_px = masks.area_px.copy()
    unchanged = np.ones(len(masks), np.float32)
    keep = np.ones(len(masks), np.bool_)
    for index, rle in enumerate(rles):
        cleaned, changed, largest_px = fill_and_clean_rle(rle, region_area_px)
        keep[index] = not drop_small or largest_px >= region_area_px
        if changed:
            unchanged[index] = 0
            rles[index] = cleaned
            area_px[index] = area(cleaned)
            boxes[index] = rle_to_box(cleaned)
    new = replace(masks, rles=tuple(rles), area_px=area_px, boxes_xyxy=boxes, parents=np.zeros(0, np.int64))
    rows = np.flatnonzero(keep)
    new = new.take(rows)
    return new.take(nms(inclusive_boxes(new), unchanged[rows], nms_threshold))
