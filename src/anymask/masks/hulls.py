"""The convex hull of a mask, from its run lengths alone."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from anymask.masks.rle import area, to_uncompressed_array
from anymask.masks.types import Rle


def hull_area(rle: Rle) -> float:
    """Area in px of the smallest convex outline around the mask's pixels, each a unit square; 0 when it is empty.

    >>> from anymask.masks.rle import encode
    >>> hull_area(encode(np.eye(2, dtype=bool))), hull_area(encode(np.ones((3, 4), bool)))
    (3.0, 12.0)

    Raises: MaskError when the mask is malformed.
    """
    corners = _corners(rle)
    if len(corners) == 0:
        return 0.0
    return float(cv2.contourArea(cv2.convexHull(corners)))


def concavity(rle: Rle) -> float:
    """1 - area / area of the convex hull, in [0, 1); NaN when the mask is empty.

    Source: paper, section 5, "Mask properties".
    """
    hull = hull_area(rle)
    return 1 - area(rle) / hull if hull else float("nan")


def _corners(rle: Rle) -> npt.NDArray[np.int32]:
    """(N, 2) x, y of pixel corners that the hull can have: of each column, above its first pixel and below its last."""
    height = rle.size_hw[0]
    ends = np.cumsum(to_uncompressed_array(rle))
    starts, stops = ends[0::2][: len(ends) // 2], ends[1::2]  # of the foreground runs, column by column
    some = stops > starts
    starts, stops = starts[some], stops[some] - 1  # first and last pixel
    first, last = starts // height, stops // height
    if np.any(first != last):
        # A run over several columns fills those in between, and reaches the picture's edges.
        return _corners_of_columns(*_cut_at_columns(starts, stops, height))
    return _corners_of_columns(first, starts % height, stops % height)


def _cut_at_columns(
    starts: npt.NDArray[np.int64], stops: npt.NDArray[np.int64], height: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Column, first and last row of every part that a run has in a column."""
    first, last = starts // height, stops // height
    count = last - first + 1
    run = np.repeat(np.arange(len(starts)), count)
    column = np.arange(len(run)) - np.repeat(np.cumsum(count) - count, count) + first[run]
    top = np.where(column == first[run], starts[run] % height, 0)
    bottom = np.where(column == last[run], stops[run] % height, height - 1)
    return column, top, bottom


def _corners_of_columns(
    column: npt.NDArray[np.int64], top: npt.NDArray[np.int64], bottom: npt.NDArray[np.int64]
) -> npt.NDArray[np.int32]:
    parts = [(column, top), (column + 1, top), (column, bottom + 1), (column + 1, bottom + 1)]
    return np.concatenate([np.stack(part, axis=1) for part in parts]).astype(np.int32)
