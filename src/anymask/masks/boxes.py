"""Boxes of masks, their forms and their overlap.

A box is (x0, y0, x1, y1) in original pixels, right and bottom edges exclusive, so x1 - x0 is a width and an empty mask
has a box of zeros. (The public generator's boxes end on the last pixel; `dataset/formats/sa1b.py` converts.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from anymask.errors import MaskError
from anymask.masks.rle import to_uncompressed_array
from anymask.masks.types import Rle
from anymask.masks.validate import check_mask, check_masks

Boxes = npt.NDArray[np.float32]


def mask_to_box(mask: npt.ArrayLike) -> Boxes:
    """(4,) float32 xyxy of one mask (H, W), zeros when it is empty.

    Raises: MaskError for another shape or type.

    >>> mask_to_box([[0, 0, 0], [0, 1, 1]]).tolist()
    [1.0, 1.0, 3.0, 2.0]
    """
    return np.asarray(_array_boxes(check_mask(mask)[None])[0])


@overload
def masks_to_boxes(masks: Tensor) -> Tensor: ...
@overload
def masks_to_boxes(masks: npt.ArrayLike) -> Boxes: ...
def masks_to_boxes(masks: Tensor | npt.ArrayLike) -> Tensor | Boxes:
    """(M, 4) float32 xyxy of (M, H, W) masks, zeros for empty ones; a tensor in gives a tensor on its device.

    Raises: MaskError for another number of axes, and for arrays of another type.
    """
    if not isinstance(masks, Tensor):
        return _array_boxes(check_masks(masks))
    if masks.ndim != 3:
        raise MaskError(f"masks have shape {tuple(masks.shape)}, expected (M, H, W)")
    masks = masks if masks.dtype == torch.bool else masks != 0
    if masks.device.type == "cpu":
        return torch.from_numpy(_array_boxes(masks.detach().numpy()))
    x0, x1 = _tensor_span(masks.any(dim=1))
    y0, y1 = _tensor_span(masks.any(dim=2))
    return torch.stack([x0, y0, x1, y1], dim=1).float()


def rle_to_box(rle: Rle) -> Boxes:
    """(4,) float32 xyxy of one mask, zeros when it is empty.

    Raises: MaskError when `rle` is malformed.
    """
    return box_of_runs(to_uncompressed_array(rle), rle.size_hw[0])


def box_of_runs(runs: npt.NDArray[np.int64], height: int) -> Boxes:
    """(4,) float32 xyxy of the foreground of checked column-major run lengths in a picture `height` px high."""
    ends = np.cumsum(runs)
    starts, stops = ends[:-1:2], ends[1::2]
    filled = stops > starts
    starts, stops = starts[filled], stops[filled] - 1
    if len(starts) == 0:
        return np.zeros(4, np.float32)
    x0, x1 = int(starts[0]) // height, int(stops[-1]) // height
    # A run that crosses from one column into the next touches the last row and the first.
    crosses = bool((starts // height != stops // height).any())
    y0 = 0 if crosses else int((starts % height).min())
    y1 = height - 1 if crosses else int((stops % height).max())
    return np.array([x0, y0, x1 + 1, y1 + 1], np.float32)


def rles_to_boxes(rles: Sequence[Rle]) -> Boxes:
    """(M, 4) float32 xyxy, one row a mask.

    Raises: MaskError when one is malformed.
    """
    return np.array([rle_to_box(rle) for rle in rles], np.float32).reshape(len(rles), 4)


def xyxy_to_xywh(boxes_xyxy: npt.ArrayLike) -> Boxes:
    """(..., 4) x0, y0, x1, y1 -> x0, y0, width, height; float32."""
    boxes = np.array(boxes_xyxy, np.float32)
    boxes[..., 2:] -= boxes[..., :2]
    return boxes


def xywh_to_xyxy(boxes_xywh: npt.ArrayLike) -> Boxes:
    """(..., 4) x0, y0, width, height -> x0, y0, x1, y1; float32."""
    boxes = np.array(boxes_xywh, np.float32)
    boxes[..., 2:] += boxes[..., :2]
    return boxes


def area(boxes_xyxy: npt.ArrayLike) -> Boxes:
    """(...) float32 square pixels of (..., 4) boxes; 0 for a box that ends before it starts."""
    boxes = np.asarray(boxes_xyxy, np.float32)
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def clip(boxes_xyxy: npt.ArrayLike, size_hw: tuple[int, int]) -> Boxes:
    """(..., 4) boxes cut to a picture of `size_hw`; float32."""
    height, width = size_hw
    limits = np.array([width, height, width, height], np.float32)
    return np.asarray(np.clip(np.asarray(boxes_xyxy, np.float32), 0, limits), np.float32)


def iou_matrix(a_xyxy: npt.ArrayLike, b_xyxy: npt.ArrayLike) -> Boxes:
    """(A, B) float32 intersection over union of every pair of (A, 4) and (B, 4) boxes; 0 where the union is empty.

    >>> iou_matrix([[0, 0, 2, 2]], [[1, 0, 3, 2], [5, 5, 6, 6]]).round(3).tolist()
    [[0.3330000042915344, 0.0]]
    """
    a = np.asarray(a_xyxy, np.float32).reshape(-1, 4)
    b = np.asarray(b_xyxy, np.float32).reshape(-1, 4)
    overlap_x = np.minimum(a[:, None, 2], b[:, 2]) - np.maximum(a[:, None, 0], b[:, 0])  # (A, B)
    overlap_y = np.minimum(a[:, None, 3], b[:, 3]) - np.maximum(a[:, None, 1], b[:, 1])
    intersection = np.maximum(overlap_x, 0) * np.maximum(overlap_y, 0)
    union = area(a)[:, None] + area(b) - intersection
    return np.asarray(np.divide(intersection, union, out=np.zeros_like(union), where=union > 0), np.float32)


def _array_boxes(masks: npt.NDArray[np.bool_]) -> Boxes:
    boxes = np.zeros((len(masks), 4), np.float32)
    for index, mask in enumerate(masks):
        rows = np.flatnonzero(mask.any(axis=1))
        if len(rows):
            columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
            boxes[index] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return boxes


def _tensor_span(filled: Tensor) -> tuple[Tensor, Tensor]:
    """(M, L) bool -> (M,) first filled position and (M,) one past the last; 0, 0 when none is."""
    length = filled.shape[1]
    positions = torch.arange(length, device=filled.device)
    first = torch.where(filled, positions, length).amin(dim=1)
    stop = torch.where(filled, positions + 1, 0).amax(dim=1)
    return torch.where(stop > 0, first, 0), stop
