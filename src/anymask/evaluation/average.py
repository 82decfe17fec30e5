"""Average precision and average recall of matches, over pictures, with error bars that draw the pictures again.

A picture drawn twice counts twice. Source: COCO's and LVIS's reference code for the numbers themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
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


def mean_of(by_category: dict[int, Floats], division: int, threshold: int | None = None) -> float:
    """The mean over categories and thresholds (or at one) of one division; NaN when nothing is to be found in it."""
    values = np.array([values[division] for values in by_category.values()]).reshape(len(by_category), -1)
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
    rng = np.random.default_rng([config.seed, 0])
    even = np.full(pictures, 1 / pictures)
    for _ in range(config.resamples):
        yield rng.multinomial(pictures, even).astype(np.float64)


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
