"""A picture's `MaskSet` from masks alone (areas and boxes measured, the rest unknown), and its label maps."""

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
MAX_LAYER_PIXELS = 2**28
"""Most pixels of all layers of one picture together, 512 MiB: what was made to overlap itself must not fill the memory.
SA-1B's pictures have about 3.4 million pixels: 78 layers."""


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


def to_layers(masks: MaskSet) -> list[npt.NDArray[np.uint16]]:
    """Label maps that keep every mask whole: (H, W) uint16, 0 where no mask of the layer is, else 1 + the mask's index.

    From the largest mask to the smallest (equal areas: the first one first), each goes to the first layer where it
    overlaps nothing. So wholes come before their parts, and masks that do not overlap at all give one layer. Empty
    masks are left out; no masks give no layer.

    Raises: MaskError for more than MAX_LABELS masks, layers of more than MAX_LAYER_PIXELS, or a malformed mask.
    """
    if len(masks) > MAX_LABELS:
        raise MaskError(f"{len(masks)} masks do not fit 16-bit label maps, which hold {MAX_LABELS}; keep fewer")
    height, width = masks.size_hw
    columns: list[npt.NDArray[np.uint16]] = []  # (W, H) each: masks are stored column by column
    for index in np.argsort(-masks.area_px, kind="stable"):
        if masks.area_px[index] == 0:
            continue
        x0, y0, x1, y1 = (int(edge) for edge in masks.boxes_xyxy[index])
        mask = _decode_columns(masks.rles[index], x0, x1)[:, y0:y1]
        free = next((layer for layer in columns if not layer[x0:x1, y0:y1][mask].any()), None)
        if free is None:
            if (len(columns) + 1) * height * width > MAX_LAYER_PIXELS:
                raise MaskError(
                    f"the masks overlap so often that {len(columns)} label maps of {height} x {width} px do not hold "
                    "them; drop masks that are nearly the same (suppress)"
                )
            free = np.zeros((width, height), np.uint16)
            columns.append(free)
        free[x0:x1, y0:y1][mask] = index + 1
    return [np.ascontiguousarray(layer.T) for layer in columns]


def _decode_columns(rle: Rle, x0: int, x1: int) -> npt.NDArray[np.bool_]:
    """(x1 - x0, H) bool: the columns of a mask that has foreground in no other."""
    height = rle.size_hw[0]
    runs = to_uncompressed_array(rle)
    values = np.zeros(len(runs), np.bool_)
    values[1::2] = True
    ends = np.clip(np.cumsum(runs), x0 * height, x1 * height)
    inside = np.diff(ends, prepend=x0 * height)
    return np.repeat(values, inside).reshape(x1 - x0, height)


def _column(values: npt.ArrayLike | None, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    if values is None:
        return np.full(shape, np.nan, np.float32)
    return np.asarray(values, np.float32).reshape(shape)
