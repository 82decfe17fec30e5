"""Predicted line maps against the maps of several annotators, pixel by pixel and one to one.

Source: the Berkeley benchmark (Martin, Fowlkes, Malik, PAMI 2004; Arbeláez et al., PAMI 2011), its files
`evaluation_bdry_image.m` and `match.cc`: the same thinning, search radius, costs and counts. That code solves each
assignment with a few random connections for pixels that stay alone, so its counts may fall short of the best assignment
by a few pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from anymask.errors import InputError, MissingDependencyError
from anymask.masks.borders import thin
from anymask.masks.validate import check_mask

if TYPE_CHECKING:
    from anymask.evaluation.boundaries.assignment import State

Mask = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

TOLERANCE = 0.0075
"""How far apart two pixels may lie that are matched, as a share of the picture's diagonal."""

_COST_A_PIXEL = 100
"""Costs are whole numbers: this times the distance in pixels, rounded."""
_ALONE_IN_RADII = 100
"""What a pixel costs that is not matched, in search radii."""


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """The best one-to-one assignment between two line maps."""

    predicted: Mask
    """(H, W) the predicted pixels that have a partner."""
    truth: Mask
    """(H, W) the true pixels that have one."""
    cost: int
    """Sum over the pairs of 100 times their distance, each rounded."""


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """What is counted of one picture at K thresholds, or sums of it over pictures."""

    matched_truth: Integers
    """(K,) true pixels that have a predicted partner, over all annotators."""
    truth: int
    """True pixels of all annotators."""
    matched_predicted: Integers
    """(K,) predicted pixels that have a partner in at least one annotator's map."""
    predicted: Integers
    """(K,) predicted pixels."""

    def __add__(self, other: Counts) -> Counts:
        if len(self.predicted) != len(other.predicted):
            raise InputError(
                f"counts at {len(self.predicted)} and at {len(other.predicted)} levels cannot be added; "
                "score all pictures at the same levels"
            )
        return Counts(
            self.matched_truth + other.matched_truth,
            self.truth + other.truth,
            self.matched_predicted + other.matched_predicted,
            self.predicted + other.predicted,
        )


def thresholds(count: int = 99) -> npt.NDArray[np.float64]:
    """(count,) rising thresholds that cut [0, 1] into equal parts.

    >>> thresholds(3).tolist()
    [0.25, 0.5, 0.75]
    """
    return np.linspace(1 / (count + 1), 1 - 1 / (count + 1), count)


def above_thresholds(strength: npt.NDArray[np.floating], levels: int = 99) -> list[Mask]:
    """Where an (H, W) edge map of [0, 1] is at or above each of the `levels` thresholds, lowest threshold first."""
    return [strength >= threshold for threshold in thresholds(levels)]


def count_matches(levels: Sequence[Mask], truths: Sequence[Mask], *, tolerance: float = TOLERANCE) -> Counts:
    """The counts of one picture: K predicted line maps (H, W), thinned first, against each annotator's map.

    It is fastest when each of `levels` differs little from the one before.

    Raises: InputError for no level or no annotator, or maps of different sizes; MissingDependencyError without numba.
    """
    maps = [check_mask(level) for level in levels]
    true_maps = [check_mask(truth) for truth in truths]
    if not maps or not true_maps or len({one.shape for one in (*maps, *true_maps)}) != 1:
        raise InputError(
            f"{len(maps)} predicted maps and {len(true_maps)} true ones of sizes "
            f"{sorted({one.shape for one in (*maps, *true_maps)})}; expected one or more of each, all of one size"
        )
    window = _Window.of(true_maps[0].shape, tolerance)
    lines = [window.pad(thin(one)) for one in maps]
    pixels = [np.flatnonzero(one) for one in lines]
    changes = [
        (np.flatnonzero(old & ~new), np.flatnonzero(new & ~old))
        for old, new in zip([np.zeros_like(lines[0]), *lines], lines, strict=False)
    ]
    matched_any = [np.zeros(len(one), np.bool_) for one in pixels]
    matched_truth = np.zeros(len(maps), np.int64)
    for truth in true_maps:
        state, searches = window.begin(truth), 0
        for level, (leaving, coming) in enumerate(changes):
            searches = _assignment().change(state, searches, leaving, coming, window.alone)
            matched = state.truth_of[pixels[level]] >= 0
            matched_truth[level] += np.count_nonzero(matched)
            matched_any[level] |= matched
    return Counts(
        matched_truth=matched_truth,
        truth=sum(int(np.count_nonzero(truth)) for truth in true_maps),
        matched_predicted=np.array([np.count_nonzero(one) for one in matched_any], np.int64),
        predicted=np.array([len(one) for one in pixels], np.int64),
    )


def match_lines(predicted: npt.ArrayLike, truth: npt.ArrayLike, *, tolerance: float = TOLERANCE) -> Matched:
    """The best assignment between two (H, W) line maps as they are (nothing is thinned).

    As many pixels as possible are matched, none farther apart than `tolerance` times the diagonal, and of all ways to
    do so the one of least total distance is taken.

    Raises: InputError for maps of different sizes; MissingDependencyError without numba.
    """
    ours, theirs = check_mask(predicted), check_mask(truth)
    if ours.shape != theirs.shape:
        raise InputError(f"maps of {ours.shape} and {theirs.shape} cannot be matched; give two of one size")
    window = _Window.of(ours.shape, tolerance)
    state = window.begin(theirs)
    _assignment().change(state, 0, np.zeros(0, np.int64), np.flatnonzero(window.pad(ours)), window.alone)
    rows = np.flatnonzero(state.truth_of >= 0)
    partners = state.truth_of[rows]
    y, x = np.divmod(rows, window.width), np.divmod(partners, window.width)
    distance = np.hypot(y[0] - x[0], y[1] - x[1])
    matched = [np.zeros(state.truth_of.size, np.bool_) for _ in range(2)]
    matched[0][rows], matched[1][partners] = True, True
    cost = int(np.rint(distance * _COST_A_PIXEL).sum())
    return Matched(window.crop(matched[0]), window.crop(matched[1]), cost)


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """The search window for maps of one size, and how those maps are padded."""

    size_hw: tuple[int, ...]
    border: int
    """Pixels of padding on every side."""
    steps: Integers
    """Flat steps in a padded map, nearest first."""
    costs: Integers
    """The cost of each."""
    alone: int
    """The cost of a pixel that is not matched."""

    @staticmethod
    def of(size_hw: tuple[int, ...], tolerance: float) -> _Window:
        radius = tolerance * math.hypot(*size_hw)
        border = int(np.ceil(radius))
        dy, dx = np.mgrid[-border : border + 1, -border : border + 1].reshape(2, -1)
        distance = np.hypot(dy, dx)
        near = np.argsort(distance, kind="stable")
        near = near[distance[near] <= radius]
        steps = dy[near] * (size_hw[1] + 2 * border) + dx[near]
        costs = np.rint(distance[near] * _COST_A_PIXEL).astype(np.int64)
        return _Window(size_hw, border, steps, costs, int(np.ceil(_ALONE_IN_RADII * radius * _COST_A_PIXEL)))

    @property
    def width(self) -> int:
        """Of a padded map."""
        return self.size_hw[1] + 2 * self.border

    def pad(self, mask: Mask) -> Mask:
        """The padded map, flat."""
        return np.pad(mask, self.border).ravel()

    def crop(self, flat: Mask) -> Mask:
        """(H, W) of a padded flat map."""
        inner = slice(self.border, -self.border or None)
        return flat.reshape(-1, self.width)[inner, inner]

    def begin(self, truth: Mask) -> State:
        """An assignment in which nothing is predicted yet."""
        state: State = _assignment().new_state(self.pad(truth), self.steps, self.costs)
        return state


def _assignment() -> ModuleType:
    # Loaded here and not above: it brings in numba, which takes a second and only this benchmark needs.
    try:
        from anymask.evaluation.boundaries import assignment
    except ImportError as error:
        raise MissingDependencyError(
            "the boundary benchmark needs numba, which is not installed: pip install 'anymask[eval]'"
        ) from error
    return assignment
