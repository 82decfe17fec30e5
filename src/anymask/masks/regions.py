"""Connected parts of a mask: counting them, and removing specks and small holes."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from anymask.errors import MaskError
from anymask.masks.validate import check_mask

Mask = npt.NDArray[np.bool_]


def connected_components(
    mask: npt.ArrayLike, connectivity: Literal[4, 8] = 8
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """(H, W) int32 labels, 0 background and 1..N parts, with (N,) int64 pixels of each part.

    Raises: MaskError for another shape or type.
    """
    labels, areas = _label(check_mask(mask), connectivity)
    return labels, areas[1:]


def remove_small_regions(mask: npt.ArrayLike, area_px: float, mode: Literal["holes", "islands"]) -> tuple[Mask, bool]:
    """The (H, W) mask with holes filled or islands removed that have fewer than `area_px` pixels; was anything changed.

    Parts are 8-connected, for foreground and background alike, and background at the picture's border is a hole like
    any other, as in the public implementation. When every island is small, the largest stays.

    Raises: MaskError for another shape or type of mask, or another mode.
    """
    checked = check_mask(mask)
    if mode not in ("holes", "islands"):
        raise MaskError(f"mode is {mode!r}, expected 'holes' or 'islands'")
    labels, areas = _label(~checked if mode == "holes" else checked, 8)
    small = areas < area_px
    small[0] = False
    if not small.any():
        return checked, False
    if mode == "holes":
        return checked | small[labels], True
    keep = ~small
    keep[0] = False
    if not keep.any():
        keep[1 + int(np.argmax(areas[1:]))] = True
    return keep[labels], True


def fill_and_clean(mask: npt.ArrayLike, area_px: float) -> tuple[Mask, bool]:
    """The mask with small holes filled first and small islands removed after; was anything changed.

    Raises: MaskError for another shape or type.
    """
    filled, holes = remove_small_regions(mask, area_px, "holes")
    cleaned, islands = remove_small_regions(filled, area_px, "islands")
    return cleaned, holes or islands


def largest_region_area(mask: npt.ArrayLike) -> int:
    """Pixels of the largest 8-connected part, 0 for an empty mask.

    Raises: MaskError for another shape or type.
    """
    return int(connected_components(mask)[1].max(initial=0))


def _label(mask: Mask, connectivity: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Labels and areas, background (label 0) first."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=connectivity)
    return np.asarray(labels, np.int32), np.asarray(stats[:, cv2.CC_STAT_AREA], np.int64)
