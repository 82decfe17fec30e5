"""Masks from polygons, through the gate that refuses what COCO's rasteriser would take silently, and back."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import faster_coco_eval.mask_api_new_cpp as native
import numpy as np
import numpy.typing as npt

from anymask.errors import MaskError
from anymask.masks.rle import merge
from anymask.masks.types import Rle
from anymask.masks.validate import check_mask, check_size

Polygon = npt.NDArray[np.float64]

MAX_POINTS = 1_000_000
"""Most corners of one polygon."""


def from_polygons(polygons: object, size_hw: tuple[int, int]) -> Rle:
    """The union of polygons, rasterised as the COCO library does.

    Each polygon is (K, 2) x, y in original pixels or COCO's flat [x0, y0, x1, y1, ...], K >= 3; coordinates run along
    pixel edges, so [0, 0, 2, 0, 2, 1, 0, 1] covers two pixels.

    Raises: MaskError when there is no polygon, one has fewer than 3 points, a coordinate is not finite or lies more
    than a picture's side outside.
    """
    size_hw = check_size(size_hw)
    if not isinstance(polygons, Sequence | np.ndarray) or isinstance(polygons, str | bytes) or len(polygons) == 0:
        raise MaskError("polygons must be a list of at least one polygon of x, y pairs")
    checked = [check_polygon(polygon, size_hw) for polygon in polygons]
    flat = [polygon.reshape(-1).tolist() for polygon in checked]
    rles = [Rle(size_hw, bytes(item["counts"])) for item in native.frPyObjects(flat, *size_hw)]
    return merge(rles)


def check_polygon(polygon: object, size_hw: tuple[int, int]) -> Polygon:
    """One polygon as (K, 2) float64 x, y.

    Raises: MaskError as `from_polygons` says.
    """
    try:
        points = np.array(polygon, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise MaskError("a polygon holds something that is not a number; give x, y pairs in pixels") from None
    if points.ndim == 1 and len(points) % 2 == 0:
        points = points.reshape(-1, 2)
    if points.ndim != 2 or points.shape[1] != 2:
        raise MaskError(f"a polygon has shape {points.shape}, expected (K, 2) or a flat list of x, y pairs")
    if not 3 <= len(points) <= MAX_POINTS:
        raise MaskError(f"a polygon has {len(points)} points, expected 3 to {MAX_POINTS}")
    if not np.isfinite(points).all():
        raise MaskError("a polygon has a coordinate that is not finite; give pixels of the picture")
    side = max(size_hw)
    if points.min() < -side or points.max() > 2 * side:
        raise MaskError(
            f"a polygon reaches from {points.min():g} to {points.max():g} but the picture is "
            f"{size_hw[0]} x {size_hw[1]} px; give coordinates in pixels of this picture"
        )
    return points


def to_polygons(mask: npt.ArrayLike) -> list[Polygon]:
    """The outlines of an (H, W) mask as (K, 2) float64 x, y polygons.

    Raises: MaskError for another shape or type.
    """
    contours, _ = cv2.findContours(check_mask(mask).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [contour[:, 0].astype(np.float64) for contour in contours if len(contour) >= 3]
