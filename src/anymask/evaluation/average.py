"""Average precision and average recall of matches, over pictures, with error bars that draw the pictures again.

A picture drawn twice counts twice. Source: COCO's and LVIS's reference code for the numbers themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anymask.errors import ConfigError
from anymask.evaluation.matching import Bools, Floats, Integers, PictureMatches
from anymask.evaluation.metrics import BootstrapConfig, Interval

RECALLS: Floats = np.linspace(0.0, 1.0, 101)
"""Where precision is read off."""


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """The matches of P pictures in one piece: N answers, G masks, V divisions, T thresholds."""

    pictures: int
    scores: Floats
    """(N,)"""
    categories: Integers
    """(N,)"""
    ranks: Integers
    """(N,)"""
    picture_of: Integers
    """(N,) which picture each answer is of, from 0."""
    hits: Bools
    """(V, T, N)"""
    idle: Bools
    """(V, T, N)"""
    truth_categories: Integers
    """(G,)"""
    truth_picture_of: Integers
    """(G,)"""
    counted: Bools
    """(V, G)"""


def tally(pictures: Iterable[PictureMatches]) -> Tally:
    """The matches of at least one picture, joined. Their order decides between answers of equal score.

    Raises: ConfigError for no picture.
    """
    every = list(pictures)
    if not every:
        raise ConfigError("an average needs at least one picture")
    answers, truths = [len(one.scores) for one in every], [len(one.truth_categories) for one in every]
    return Tally(
        pictures=len(every),
        scores=np.concatenate([one.scores for one in every]),
        categories=np.concatenate([one.categories for one in every]),
        ranks=np.concatenate([one.ranks for one in every]),
        picture_of=np.repeat(np.arange(len(every)), answers),
        hits=np.concatenate([one.hits for one in every], axis=-1),
        idle=np.concatenate([one.idle for one in every], axis=-1),
        truth_categories=np.concatenate([one.truth_categories for one in every]),
        truth_picture_of=np.repeat(np.arange(len(every)), truths),
        counted=np.concatenate([one.counted for one in every], axis=-1),
    )


def precision_by_category(found: Tally, weights: Floats | None = None) -> dict[int, Floats]:
    """Category id -> (V, T) average precision; NaN where a division has no mask of the category.

    `weights` (P,) says how often each picture counts; once when None.
    """
    often = np.ones(found.pictures) if weights is None else weights
    order = np.argsort(-found.scores, kind="stable")
    result = {}
    for category in np.unique(found.truth_categories):
        rows = order[found.categories[order] == category]
        masks = found.truth_categories == category
        due = found.counted[:, masks] @ often[found.truth_picture_of[masks]]  # (V,)
        weight = often[found.picture_of[rows]]
        right = np.cumsum(found.hits[..., rows] * weight, axis=-1)  # (V, T, N)
        wrong = np.cumsum((~found.hits[..., rows] & ~found.idle[..., rows]) * weight, axis=-1)
        result[int(category)] = _area_under(right, wrong, due)
    return result


def recall_by_category(found: Tally, at_most: int, weights: Floats | None = None) -> dict[int, Floats]:
    """Category id -> (V, T) share of the masks found by the best `at_most` answers of their picture; NaN as above."""
    often = np.ones(found.pictures) if weights is None else weights
    result = {}
    for category in np.unique(found.truth_categories):
        rows = np.flatnonzero((found.categories == category) & (found.ranks < at_most))
        masks = found.truth_categories == category
        due = found.counted[:, masks] @ often[found.truth_picture_of[masks]]
        right = found.hits[..., rows] @ often[found.picture_of[rows]]  # (V, T)
        result[int(category)] = np.where(due[:, None] > 0, right / np.maximum(due, 1e-12)[:, None], np.nan)
    return result


def overall_recall(
    pictures: Sequence[PictureMatches], limits: Sequence[int], config: BootstrapConfig
) -> list[Interval]:
    """Recall of matches in which categories were not looked at: of the first division among the best of each of
    `limits`, then of every other division among the best of the last limit; each with its interval.

    The same as `recall_by_category` of the one category, and fast: only sums over pictures are drawn again.

    Raises: ConfigError for no picture.
    """
    counts = recall_counts(pictures, limits)
    return _intervals(lambda weights: _ratios(counts, weights), len(pictures), config)


def recall_difference(
    first: Sequence[PictureMatches], second: Sequence[PictureMatches], limits: Sequence[int], config: BootstrapConfig
) -> list[Interval]:
    """`overall_recall` of the first minus that of the second, of the same pictures in the same order: paired bootstrap.

    Raises: ConfigError for no picture or another number of them.
    """
    if len(first) != len(second):
        raise ConfigError(f"a paired difference needs the same pictures, got {len(first)} and {len(second)}")
    a, b = recall_counts(first, limits), recall_counts(second, limits)
    return _intervals(lambda weights: _ratios(a, weights) - _ratios(b, weights), len(first), config)


def recall_counts(pictures: Sequence[PictureMatches], limits: Sequence[int]) -> tuple[Floats, Floats]:
    """(K, P) masks found (the mean over thresholds) and (K, P) masks due, for each number of `overall_recall`.

    Raises: ConfigError for no picture.
    """
    found = tally(pictures)
    due = _sums_of_pictures(found.counted[:, None], found.truth_picture_of, found.pictures)[:, 0]  # (V, P)
    right = [
        _sums_of_pictures(found.hits & (found.ranks < limit), found.picture_of, found.pictures)[0] for limit in limits
    ]
    last = _sums_of_pictures(found.hits & (found.ranks < limits[-1]), found.picture_of, found.pictures)
    numerators = [*(one.mean(axis=0) for one in right), *last[1:].mean(axis=1)]
    return np.array(numerators), np.array([due[0]] * len(right) + list(due[1:]))


def _intervals(numbers: Callable[[Floats], Floats], pictures: int, config: BootstrapConfig) -> list[Interval]:
    """Intervals of the K numbers that `numbers` gives for (R, P) weights, as (R, K)."""
    plain = numbers(np.ones((1, pictures)))[0]
    drawn = np.concatenate([numbers(weights) for weights in draw_blocks(pictures, config)])
    return [_interval(value, column, config) for value, column in zip(plain, drawn.T, strict=True)]


def draw_blocks(pictures: int, config: BootstrapConfig) -> Iterable[Floats]:
    """The draws of `draws`, many (rows, P) at a time; memory is bounded to tens of megabytes."""
    rng = np.random.default_rng([config.seed, 0])
    even = np.full(pictures, 1 / pictures)
    block = max(1, 2**22 // pictures)
    for start in range(0, config.resamples, block):
        yield rng.multinomial(pictures, even, size=min(block, config.resamples - start)).astype(np.float64)


def _ratios(rows: tuple[Floats, Floats], weights: Floats) -> Floats:
    """(R, K) weighted sum of each numerator (K, P) over that of its denominator; NaN where that is 0."""
    above, below = weights @ rows[0].T, weights @ rows[1].T
    return np.where(below > 0, above / np.maximum(below, 1e-12), np.nan)


def _sums_of_pictures(values: Bools, picture_of: Integers, pictures: int) -> Floats:
    """(V, T, P) how many of (V, T, N) are true in each picture."""
    flat = values.reshape(values.shape[0] * values.shape[1], values.shape[2])
    sums = [np.bincount(picture_of, weights=row.astype(np.float64), minlength=pictures) for row in flat]
    return np.array(sums, np.float64).reshape(*values.shape[:2], pictures)


def mean_of(by_category: dict[int, Floats], division: int, threshold: int | None = None) -> float:
    """The mean over categories and thresholds (or at one) of one division; NaN when nothing is to be found in it."""
    if not by_category:
        return float("nan")
    values = np.array([values[division] for values in by_category.values()])
    if threshold is not None:
        values = values[:, threshold : threshold + 1]
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def bootstrap(
    found: Tally, numbers: Callable[[Floats | None], npt.ArrayLike], config: BootstrapConfig
) -> list[Interval]:
    """Each of the numbers that `numbers(weights)` gives, with its interval when pictures are drawn again.

    A draw in which a number does not exist (no mask of that size in it) is left out of that number's interval.
    """
    plain = np.asarray(numbers(None), np.float64)
    drawn = np.array([np.asarray(numbers(weights), np.float64) for weights in draws(found.pictures, config)])
    return [_interval(value, column, config) for value, column in zip(plain, drawn.T, strict=True)]


def draws(pictures: int, config: BootstrapConfig) -> Iterable[Floats]:
    """How often each of `pictures` pictures comes in each resample; the same seed gives the same draws."""
    for block in draw_blocks(pictures, config):
        yield from block


def _interval(value: float, drawn: Floats, config: BootstrapConfig) -> Interval:
    known = drawn[~np.isnan(drawn)]
    if len(known) == 0:
        return Interval(float(value), float("nan"), float("nan"))
    tail = (1 - config.level) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return Interval(float(value), float(low), float(high))


def _area_under(right: Floats, wrong: Floats, due: Floats) -> Floats:
    """(V, T) mean precision at RECALLS, precision made to fall with recall; NaN where nothing is due (V,)."""
    area = np.full(right.shape[:2], np.nan)
    precision = right / (right + wrong + np.spacing(1))
    precision = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    for division in np.flatnonzero(due > 0):
        for threshold in range(right.shape[1]):
            place = np.searchsorted(right[division, threshold] / due[division], RECALLS, side="left")
            reached = place < right.shape[2]
            area[division, threshold] = precision[division, threshold, place[reached]].sum() / len(RECALLS)
    return area
