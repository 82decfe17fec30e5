"""Small holes filled and small islands removed from masks, with work that grows with the mask and not the picture."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from anymask.masks.boxes import masks_to_boxes
from anymask.masks.regions import fill_and_clean, largest_region_area
from anymask.masks.suppress import nms
from anymask.masks.types import MaskSet
from anymask.masks.windows import Window, decode_window, encode_window


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
        if area_px[index] == 0:
            keep[index] = not drop_small
            continue
        window = _window(boxes[index], region_area_px, masks.size_hw)
        cleaned, changed = fill_and_clean(decode_window(rle, window), region_area_px)
        keep[index] = not drop_small or largest_region_area(cleaned) >= region_area_px
        if changed:
            unchanged[index] = 0
            rles[index] = encode_window(cleaned, window, masks.size_hw)
            area_px[index] = np.count_nonzero(cleaned)
            boxes[index] = masks_to_boxes(cleaned[None])[0] + np.tile(window[:2], 2)
    new = replace(masks, rles=tuple(rles), area_px=area_px, boxes_xyxy=boxes, parents=np.zeros(0, np.int64))
    rows = np.flatnonzero(keep)
    new = new.take(rows)
    return new.take(nms(inclusive_boxes(new), unchanged[rows], nms_threshold))


def _window(box_xyxy: npt.NDArray[np.float32], region_area_px: int, size_hw: tuple[int, int]) -> Window:
    """The box with a margin that makes the background around it too large for a hole, cut to the picture.

    All background that reaches beyond the window fills a side of the margin, so it has at least as many pixels there as
    a hole must not have: small regions are the same in the window as in the whole picture.
    """
    margin = math.ceil(region_area_px)
    x0, y0, x1, y1 = (int(value) for value in box_xyxy)
    height, width = size_hw
    return max(0, x0 - margin), max(0, y0 - margin), min(width, x1 + margin), min(height, y1 + margin)
