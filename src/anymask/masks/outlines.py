"""The outlines of a mask along its pixel edges, as closed loops of corners.

An outline turns only at corners: places where an odd number of the four pixels around is foreground, or two that meet
crosswise are. On each grid line the corners pair up, first with second, third with fourth, and so on; a horizontal side
and a vertical side meet at each. Following them alternately gives every loop.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Corners:
    """N corners of a mask's outlines in reading order; one where pixels meet crosswise is there twice."""

    x: list[int]
    y: list[int]
    across: list[int]
    """The corner at the other end of each one's horizontal side."""
    along: list[int]
    """The corner at the other end of each one's vertical side."""
    row_starts: list[int]
    """(H + 2,) where the corners of each grid row begin."""


def outlines(mask: npt.NDArray[np.bool_]) -> list[Points]:
    """One (K, 2) int64 x, y loop for each 4-connected part of an (H, W) bool mask, clockwise from its top left corner.

    A hole is part of the loop around it: the loop goes down a vertical cut to the hole's top left corner, round it the
    other way, and back up the cut.
    """
    corners = _find_corners(mask)
    loops = _follow(corners)
    starts = [loop[0] for loop in loops]
    is_hole = [not mask[corners.y[start], corners.x[start]] for start in starts]
    cuts: dict[int, list[tuple[int, int]]] = {}  # left end of a horizontal side -> (x of the cut, hole)
    for number, start in enumerate(starts):
        if is_hole[number]:
            side = _side_above(mask, corners, start)
            cuts.setdefault(side, []).append((corners.x[start], number))
    walks: dict[int, list[tuple[int, int]]] = {}
    # A hole hangs from a side above its top, so its own loop comes later in reading order: the last loop goes first.
    for number in range(len(loops) - 1, -1, -1):
        order = loops[number]
        if is_hole[number]:
            order = [order[0], *order[:0:-1]]
        walks[number] = _walk(order, corners, cuts, walks)
    return [np.array(walks[number], np.int64) for number in range(len(loops)) if not is_hole[number]]


def _find_corners(mask: npt.NDArray[np.bool_]) -> _Corners:
    framed = np.pad(mask, 1)
    top_left, top_right = framed[:-1, :-1], framed[:-1, 1:]
    bottom_left, bottom_right = framed[1:, :-1], framed[1:, 1:]
    crossing = (top_left == bottom_right) & (top_right == bottom_left) & (top_left != top_right)
    single = top_left ^ top_right ^ bottom_left ^ bottom_right
    y, x = np.nonzero(single | crossing)
    twice = crossing[y, x]
    times = 1 + twice
    # The first of two takes the side to the left, the second the one to the right.
    second = np.zeros(int(times.sum()), np.int64)
    second[np.cumsum(times)[twice] - 1] = 1
    falls = np.repeat(top_left[y, x], times)
    x, y = np.repeat(x, times), np.repeat(y, times)
    across = np.arange(len(x)) ^ 1
    # Foreground at top left and bottom right: left goes with up. Otherwise left goes with down. So parts stay apart.
    down = np.where(np.repeat(twice, times) & ~falls, 1 - second, second)
    by_column = np.lexsort((down, y, x))
    along = np.empty_like(across)
    along[by_column] = by_column[np.arange(len(x)) ^ 1]
    row_starts = np.searchsorted(y, np.arange(mask.shape[0] + 2))
    return _Corners(x.tolist(), y.tolist(), across.tolist(), along.tolist(), row_starts.tolist())


def _follow(corners: _Corners) -> list[list[int]]:
    """Every loop as its corners in order, first to the right from its top left corner; loops by that corner."""
    seen = [False] * len(corners.x)
    loops: list[list[int]] = []
    for start in range(len(seen)):
        if seen[start]:
            continue
        loop: list[int] = []
        corner = start
        while not seen[corner]:
            other = corners.across[corner]
            seen[corner] = seen[other] = True
            loop += (corner, other)
            corner = corners.along[other]
        loops.append(loop)
    return loops


def _side_above(mask: npt.NDArray[np.bool_], corners: _Corners, start: int) -> int:
    """The left corner of the horizontal side first met going up from a hole's top left corner."""
    x, y = corners.x[start], corners.y[start]
    above = mask[:y, x][::-1]
    row = y - (int(np.argmin(above)) if not above.all() else y)
    left = bisect_right(corners.x, x, corners.row_starts[row], corners.row_starts[row + 1]) - 1
    return left & ~1


def _walk(
    order: list[int],
    corners: _Corners,
    cuts: dict[int, list[tuple[int, int]]],
    walks: dict[int, list[tuple[int, int]]],
) -> list[tuple[int, int]]:
    """The x, y of a loop with the walks of its holes put in where their cuts begin."""
    points: list[tuple[int, int]] = []
    for position, corner in enumerate(order):
        points.append((corners.x[corner], corners.y[corner]))
        following = order[(position + 1) % len(order)]
        if corners.across[corner] != following:
            continue
        hanging = sorted(cuts.get(min(corner, following), ()), reverse=following < corner)
        for x, hole in hanging:
            inner = walks.pop(hole)
            points += [(x, corners.y[corner]), *inner, inner[0], (x, corners.y[corner])]
    return points
