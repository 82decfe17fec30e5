"""Connected parts of a run-length encoded mask, found on its runs: the work grows with the outline, not the picture.

The results are those of `regions.py` on the decoded mask, pixel for pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anymask.masks.rle import from_edges, to_uncompressed_array
from anymask.masks.types import Rle

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Runs:
    """R vertical runs of one value, none longer than its column, sorted by column and row."""

    height: int
    column: Integers
    start: Integers
    """First row."""
    stop: Integers
    """One past the last row."""

    def take(self, keep: npt.NDArray[np.bool_]) -> _Runs:
        return _Runs(self.height, self.column[keep], self.start[keep], self.stop[keep])

    def edges(self) -> Integers:
        """(2 R,) column-major positions where runs begin and end."""
        head = self.column * self.height
        return np.concatenate([head + self.start, head + self.stop])


def fill_and_clean_rle(rle: Rle, area_px: float) -> tuple[Rle, bool, int]:
    """The mask with holes of fewer than `area_px` pixels filled first and islands of fewer removed after; was there
    anything small; pixels of the largest island left.

    Parts are 8-connected, and background at the picture's border is a hole like any other; when every island is small,
    the largest stays. As `regions.fill_and_clean`, which see.

    Raises: MaskError when `rle` is malformed.
    """
    inside, outside = _split(rle)
    part, areas = _parts(outside)
    is_hole = (areas < area_px)[part]
    changed = bool(is_hole.any())
    if changed:
        edges = np.sort(np.concatenate([inside.edges(), outside.take(is_hole).edges()]))
        rle = from_edges(edges, rle.size_hw)
        inside, _ = _split(rle)
    part, areas = _parts(inside)
    if len(areas) == 0:
        return rle, changed, 0
    keep = areas >= area_px
    if keep.all():
        return rle, changed, int(areas.max())
    if not keep.any():
        keep[_first_of_largest(inside, part, areas)] = True
    return from_edges(np.sort(inside.take(keep[part]).edges()), rle.size_hw), True, int(areas[keep].max())


def _split(rle: Rle) -> tuple[_Runs, _Runs]:
    """The foreground and the background of a mask."""
    height = rle.size_hw[0]
    ends = np.cumsum(to_uncompressed_array(rle))
    starts = np.concatenate([[0], ends[:-1]])
    return _in_columns(starts[1::2], ends[1::2], height), _in_columns(starts[::2], ends[::2], height)


def _in_columns(starts: Integers, stops: Integers, height: int) -> _Runs:
    """Runs of positions, cut where they cross from one column into the next."""
    filled = stops > starts
    starts, stops = starts[filled], stops[filled]
    first = starts // height
    count = (stops - 1) // height - first + 1
    row = np.repeat(np.arange(len(starts)), count)
    column = first[row] + np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    head = column * height
    return _Runs(height, column, np.maximum(starts[row] - head, 0), np.minimum(stops[row] - head, height))


def _parts(runs: _Runs) -> tuple[Integers, Integers]:
    """(R,) the 8-connected part of each run, numbered from 0, and (N,) pixels of each part."""
    first, second = _neighbours(runs)
    parent = np.arange(len(runs.column))
    while True:
        a, b = parent[first], parent[second]
        apart = a != b
        if not apart.any():
            break
        first, second, a, b = first[apart], second[apart], a[apart], b[apart]
        # Each root points to the smallest root it meets, then every run to the root of its root.
        np.minimum.at(parent, np.maximum(a, b), np.minimum(a, b))
        while not np.array_equal(up := parent[parent], parent):
            parent = up
    _, part = np.unique(parent, return_inverse=True)
    return part, np.bincount(part, weights=runs.stop - runs.start).astype(np.int64)


def _neighbours(runs: _Runs) -> tuple[Integers, Integers]:
    """Pairs of runs that touch, sideways or by a corner: a run and one in the next column."""
    stride = runs.height + 2
    starts, stops = runs.column * stride + runs.start, runs.column * stride + runs.stop
    low = np.searchsorted(stops, starts + stride, side="left")
    high = np.searchsorted(starts, stops + stride, side="right")
    count = high - low
    first = np.repeat(np.arange(len(starts)), count)
    second = low[first] + np.arange(len(first)) - np.repeat(np.cumsum(count) - count, count)
    return first, second


def _first_of_largest(runs: _Runs, part: Integers, areas: Integers) -> int:
    """The largest part; of equals the one that OpenCV, which scans blocks of 2 x 2 pixels row by row, meets first."""
    width = int(runs.column.max()) // 2 + 1
    met = np.full(len(areas), np.iinfo(np.int64).max)
    np.minimum.at(met, part, runs.start // 2 * width + runs.column // 2)
    return int(np.lexsort((met, -areas))[0])
