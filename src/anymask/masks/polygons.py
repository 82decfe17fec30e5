"""Masks from polygons, through the gate that refuses what COCO's rasteriser would take silently, and back.

Coordinates are (x, y) original pixels that run along pixel edges: pixel (0, 0) is the square from (0, 0) to (1, 1).
"""

from __future__ import annotations

from collections.abc import Sequence

import faster_coco_eval.mask_api_new_cpp as native
import numpy as np
import numpy.typing as npt

from anymask.errors import MaskError
from anymask.masks.outlines import outlines
from anymask.masks.rle import encode, from_json, merge
from anymask.masks.types import Rle
from anymask.masks.validate import check_mask, check_size

Polygon = npt.NDArray[np.float64]

MAX_POINTS = 2**20
"""Most corners of one polygon."""
MAX_OUTLINE_PX = 2**22
"""Longest outline of one polygon, each side counted by its longer extent: the rasteriser walks all of it."""
_SUBPIXELS = 5
"""COCO's rasteriser rounds coordinates to a fifth of a pixel."""


def from_polygons(polygons: object, size_hw: tuple[int, int]) -> Rle:
    """The union of polygons, rasterised as the COCO library does.

    Each polygon is (K, 2) x, y or COCO's flat [x0, y0, x1, y1, ...], K >= 3; where it crosses itself, inside and
    outside alternate.

    Raises: MaskError when there is no polygon, one has fewer than 3 different points, a coordinate is not finite or
    lies more than the picture's longest side outside, or an outline is longer than MAX_OUTLINE_PX.

    >>> from_polygons([[0, 0, 2, 0, 2, 1, 0, 1]], (1, 3)) == encode([[1, 1, 0]])
    True
    """
    size_hw = check_size(size_hw)
    if not isinstance(polygons, Sequence | np.ndarray) or isinstance(polygons, str | bytes) or len(polygons) == 0:
        raise MaskError("polygons must be a list of at least one polygon, each a list of x, y pairs")
    checked = [check_polygon(polygon, size_hw) for polygon in polygons]
    return merge([_rasterise(polygon, size_hw) for polygon in checked])


def check_polygon(polygon: object, size_hw: tuple[int, int]) -> Polygon:
    """One polygon as (K, 2) float64 x, y.

    Raises: MaskError as `from_polygons` says.
    """
    points = _points(polygon)
    if not 3 <= len(points) <= MAX_POINTS:
        raise MaskError(f"a polygon has {len(points)} points, expected 3 to {MAX_POINTS}")
    if not np.isfinite(points).all():
        raise MaskError("a polygon has a coordinate that is not finite; give pixels of the picture")
    side = max(size_hw)
    if points.min() < -side or points.max() > 2 * side:
        raise MaskError(
            f"a polygon reaches from {points.min():g} to {points.max():g} but the picture is "
            f"{size_hw[0]} x {size_hw[1]} px (height x width); give coordinates in pixels of this picture"
        )
    if len(np.unique(points[:4], axis=0)) < 3 and len(np.unique(points, axis=0)) < 3:
        raise MaskError("a polygon has fewer than 3 different points; it encloses nothing")
    steps = np.abs(points - np.roll(points, 1, axis=0)).max(axis=1)
    if steps.sum() > MAX_OUTLINE_PX:
        raise MaskError(
            f"a polygon's outline is {steps.sum():.0f} px long, expected at most {MAX_OUTLINE_PX}; simplify it"
        )
    return points


def to_polygons(mask: npt.ArrayLike) -> list[Polygon]:
    """One closed (K, 2) float64 x, y polygon for each 4-connected part of an (H, W) mask, along pixel edges.

    `from_polygons` gives the mask back exactly. COCO's polygons cannot say "hole", so a hole is joined to the outline
    around it by a vertical cut of no width, walked once each way. An empty mask has no polygon.

    Raises: MaskError for another shape or type.

    >>> [polygon.tolist() for polygon in to_polygons([[0, 1]])]
    [[[1.0, 0.0], [2.0, 0.0], [2.0, 1.0], [1.0, 1.0]]]
    """
    return [points.astype(np.float64) for points in outlines(check_mask(mask))]


def _points(polygon: object) -> Polygon:
    try:
        points = np.array(polygon, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise MaskError("a polygon holds something that is not a number; give x, y pairs in pixels") from None
    if points.ndim == 1 and len(points) % 2 == 0:
        points = points.reshape(-1, 2)
    if points.ndim != 2 or points.shape[1] != 2:
        raise MaskError(f"a polygon has shape {points.shape}, expected (K, 2) or a flat list of x, y pairs")
    return points


def _rasterise(points: Polygon, size_hw: tuple[int, int]) -> Rle:
    """The mask of one checked polygon."""
    # Two neighbours that the rasteriser rounds to one place make it divide by zero: one of them is enough.
    rounded = np.trunc(points * _SUBPIXELS + 0.5)
    points = points[(rounded != np.roll(rounded, 1, axis=0)).any(axis=1)]
    if len(points) < 3:
        return encode(np.zeros(size_hw, np.bool_))
    (raster,) = native.frPoly([points.reshape(-1).tolist()], *size_hw)
    return from_json(raster)
