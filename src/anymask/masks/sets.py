"""A picture's `MaskSet` from masks alone (areas and boxes measured, the rest unknown), and its flat label map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from anymask.errors import MaskError
from anymask.masks.boxes import box_of_runs
from anymask.masks.rle import decode, encode_batch, to_uncompressed_array
from anymask.masks.types import MaskSet, Rle
from anymask.masks.validate import check_expected_size, check_size

MAX_LABELS = 2**16 - 1
"""Most masks in one 16-bit label map."""


def set_from_rles(
    rles: Sequence[Rle],
    size_hw: tuple[int, int],
    *,
    predicted_iou: npt.ArrayLike | None = None,
    stability: npt.ArrayLike | None = None,
    points_xy: npt.ArrayLike | None = None,
    crop_boxes_xyxy: npt.ArrayLike | None = None,
) -> MaskSet:
    """The MaskSet of `rles`, in that order, with area and box of each measured from its runs.

    What is left out is NaN; the crop is then the whole picture.

    Raises: MaskError when one is malformed or not of `size_hw`.
    """
    height, width = check_size(size_hw)
    m = len(rles)
    area_px = np.zeros(m, np.int64)
    boxes_xyxy = np.zeros((m, 4), np.float32)
    for index, rle in enumerate(rles):
        check_expected_size(rle.size_hw, (height, width))
        runs = to_uncompressed_array(rle)
        area_px[index] = runs[1::2].sum()
        boxes_xyxy[index] = box_of_runs(runs, height)
    crops = np.tile([0, 0, width, height], (m, 1)) if crop_boxes_xyxy is None else crop_boxes_xyxy
    return MaskSet(
        size_hw=(height, width),
        rles=tuple(rles),
        area_px=area_px,
        boxes_xyxy=boxes_xyxy,
        predicted_iou=_column(predicted_iou, (m,)),
        stability=_column(stability, (m,)),
        points_xy=_column(points_xy, (m, 2)),
        crop_boxes_xyxy=np.asarray(crops, np.float32).reshape(m, 4),
    )


def set_from_masks(masks: npt.ArrayLike, *, predicted_iou: npt.ArrayLike | None = None) -> MaskSet:
    """The MaskSet of (M, H, W) masks.

    Raises: MaskError for another shape or type.
    """
    array = np.asarray(masks)
    rles = encode_batch(array)
    return set_from_rles(rles, (array.shape[1], array.shape[2]), predicted_iou=predicted_iou)


def set_from_label_map(labels: npt.ArrayLike) -> MaskSet:
    """One mask for each value above 0 of an (H, W) label map, in rising order of value.

    Raises: MaskError when `labels` is not (H, W) whole numbers of 0 or more.
    """
    array = np.asarray(labels)
    if array.ndim != 2 or array.size == 0 or not np.issubdtype(array.dtype, np.integer) or int(array.min()) < 0:
        raise MaskError(f"a label map is (H, W) whole numbers of 0 or more, got {array.dtype} of shape {array.shape}")
    values = np.unique(array)
    rles = [rle for value in values[values > 0] for rle in encode_batch((array == value)[None])]
    return set_from_rles(rles, (array.shape[0], array.shape[1]))


def join_sets(sets: Sequence[MaskSet], size_hw: tuple[int, int]) -> MaskSet:
    """The masks of all `sets` of one picture of `size_hw`, in order; trees are dropped.

    Raises: MaskError when a mask is of another size.
    """
    every = [set_from_rles([], size_hw), *sets]
    return MaskSet(
        size_hw=size_hw,
        rles=tuple(rle for one in every for rle in one.rles),
        area_px=np.concatenate([one.area_px for one in every]),
        boxes_xyxy=np.concatenate([one.boxes_xyxy for one in every]),
        predicted_iou=np.concatenate([one.predicted_iou for one in every]),
        stability=np.concatenate([one.stability for one in every]),
        points_xy=np.concatenate([one.points_xy for one in every]),
        crop_boxes_xyxy=np.concatenate([one.crop_boxes_xyxy for one in every]),
    )


def to_label_map(masks: MaskSet) -> npt.NDArray[np.uint16]:
    """(H, W) uint16: 0 where no mask is, else 1 + the index of the smallest mask that covers the pixel.

    Masks are painted from the largest to the smallest (equal areas: the first one ends on top), so a part shows on its
    whole. A mask that others cover completely is lost.

    Raises: MaskError for more than MAX_LABELS masks or a malformed one.
    """
    if len(masks) > MAX_LABELS:
        raise MaskError(f"{len(masks)} masks do not fit a 16-bit label map, which holds {MAX_LABELS}; keep fewer")
    labels = np.zeros(masks.size_hw, np.uint16)
    # Stable from small to large, then backwards: of two equal areas the earlier mask is painted last.
    for index in np.argsort(masks.area_px, kind="stable")[::-1]:
        labels[decode(masks.rles[index])] = index + 1
    return labels


def _column(values: npt.ArrayLike | None, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    if values is None:
        return np.full(shape, np.nan, np.float32)
    return np.asarray(values, np.float32).reshape(shape)
