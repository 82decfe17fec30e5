"""What ratings say: means of each column, and whether one column is rated higher than another on the same inputs.

Where several people rated a mask, its rating is their mean. Columns are compared on the inputs that both have ratings
of, so what makes an input hard for both cancels.

Source: SAM (arXiv 2304.02643) appendix E: a paired t-test, and a paired bootstrap of 10,000 draws for the 99 % interval
of the difference of means.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from anymask.errors import ConfigError
from anymask.evaluation.metrics import BootstrapConfig, Interval, Sample, mean_interval
from anymask.evaluation.rating.guide import HIGHEST, LOWEST
from anymask.evaluation.scores import ALL_SETS

Floats = npt.NDArray[np.float64]
Unit = Literal["masks", "pictures"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RatingStatisticsConfig:
    """How certain the figures are said to be."""

    resamples: int = 10_000
    """Of each bootstrap."""
    mean_level: float = 0.95
    """Of the interval of a column's mean."""
    difference_level: float = 0.99
    """Of the interval of a difference of means."""
    unit: Unit = "masks"
    """What is drawn again: annotated masks, as in the paper, or pictures with all their masks, which is stricter."""
    seed: int = 0
    """Of the draws."""

    def __post_init__(self) -> None:
        if self.unit not in get_args(Unit):
            raise ConfigError(f"RatingStatisticsConfig.unit is {self.unit!r}, expected masks or pictures")
        _ = self.means, self.differences

    @property
    def means(self) -> BootstrapConfig:
        """The bootstrap of means."""
        return BootstrapConfig(resamples=self.resamples, level=self.mean_level, seed=self.seed)

    @property
    def differences(self) -> BootstrapConfig:
        """The bootstrap of differences."""
        return BootstrapConfig(resamples=self.resamples, level=self.difference_level, seed=self.seed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rating:
    """What one person gave one mask."""

    rater: str
    column: str
    set_name: str
    picture: str
    target: str
    """The annotated mask, unique in its study."""
    score: int
    """1 to 10."""
    seconds: float
    """How long the person looked."""
    at: str = ""
    """When, ISO 8601."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnMean:
    """How one column was rated."""

    set_name: str
    column: str
    masks: int
    mean: Interval
    shares: tuple[float, ...]
    """Share of ratings of 1, 2, ... 10."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedTest:
    """How far the first column is rated above the second, on the same inputs."""

    set_name: str
    first: str
    second: str
    masks: int
    difference: Interval
    t: float
    """Of Student's paired t-test; NaN where it is not defined."""
    p_two_sided: float
    """Chance of a difference as large as this or larger, either way, if there were none."""
    p_greater: float
    """Chance of a difference as far above zero as this or farther, if there were none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RaterFigures:
    """One person's ratings."""

    rater: str
    ratings: int
    mean: float
    deviation: float
    """Standard deviation of their ratings."""
    median_s: float
    """Median of the seconds they took."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RatingFigures:
    """All that is said of a study's ratings."""

    means: tuple[ColumnMean, ...]
    tests: tuple[PairedTest, ...]
    raters: tuple[RaterFigures, ...]
    ratings: int
    rated_by_several: int
    """Masks with ratings of two people or more."""
    disagreement: float
    """Mean over those of the standard deviation of their ratings (n - 1); NaN without any."""
    mean_s: float
    """Mean seconds a rating."""


def compute(ratings: Sequence[Rating], columns: Sequence[str], config: RatingStatisticsConfig) -> RatingFigures:
    """The figures of all ratings, set by set and, where there are several sets, of all together.

    Raises: ConfigError for no rating, or one outside 1 to 10.
    """
    if not ratings:
        raise ConfigError("nobody has rated a mask yet; put the study before raters first")
    outside = [one.score for one in ratings if not LOWEST <= one.score <= HIGHEST]
    if outside:
        raise ConfigError(f"a rating is {outside[0]}, expected {LOWEST} to {HIGHEST}")
    sets = sorted({one.set_name for one in ratings})
    groups = {name: [one for one in ratings if one.set_name == name] for name in sets}
    if len(sets) > 1:
        groups[ALL_SETS] = list(ratings)
    means, tests = [], []
    for name, group in groups.items():
        means += _means(name, group, columns, config)
        tests += _tests(name, group, columns, config)
    deviations = _deviations(ratings)
    return RatingFigures(
        means=tuple(means),
        tests=tuple(tests),
        raters=tuple(_rater(name, ratings) for name in sorted({one.rater for one in ratings})),
        ratings=len(ratings),
        rated_by_several=len(deviations),
        disagreement=float(np.mean(deviations)) if deviations else math.nan,
        mean_s=float(np.mean([one.seconds for one in ratings])),
    )


def paired_t_test(differences: Floats) -> tuple[float, float, float]:
    """(t, two-sided p, p for a mean above zero) of (N,) paired differences. Of fewer than two, all NaN; differences
    that are all equal leave no doubt: t is infinite, or NaN with p of 1 when they are all zero.

    >>> t, p, greater = paired_t_test(np.array([1.0, 2.0, 3.0]))
    >>> round(t, 4), round(p, 4), round(greater, 4)
    (3.4641, 0.0742, 0.0371)
    """
    from scipy.special import stdtr

    count = len(differences)
    if count < 2:
        return math.nan, math.nan, math.nan
    mean, error = float(differences.mean()), float(differences.std(ddof=1)) / math.sqrt(count)
    if error == 0:
        if mean == 0:
            return math.nan, 1.0, 1.0
        return math.copysign(math.inf, mean), 0.0, 0.0 if mean > 0 else 1.0
    t = mean / error
    return t, float(2 * stdtr(count - 1, -abs(t))), float(stdtr(count - 1, -t))


def mean_ratings(ratings: Iterable[Rating]) -> dict[str, dict[str, float]]:
    """By column, then by annotated mask: the mean of what people gave."""
    given: dict[str, dict[str, list[int]]] = {}
    for one in ratings:
        given.setdefault(one.column, {}).setdefault(one.target, []).append(one.score)
    return {
        column: {target: float(np.mean(scores)) for target, scores in by_target.items()}
        for column, by_target in given.items()
    }


def _means(
    set_name: str, ratings: Sequence[Rating], columns: Sequence[str], config: RatingStatisticsConfig
) -> list[ColumnMean]:
    by_column, units = mean_ratings(ratings), _units(ratings, config.unit)
    found = []
    for column in columns:
        values = by_column.get(column)
        if values:
            counts = np.bincount([one.score for one in ratings if one.column == column], minlength=HIGHEST + 1)[LOWEST:]
            interval = mean_interval(_sample(values, units), config.means)
            shares = tuple(float(share) for share in counts / counts.sum())
            found.append(ColumnMean(set_name=set_name, column=column, masks=len(values), mean=interval, shares=shares))
    return found


def _tests(
    set_name: str, ratings: Sequence[Rating], columns: Sequence[str], config: RatingStatisticsConfig
) -> list[PairedTest]:
    by_column, units = mean_ratings(ratings), _units(ratings, config.unit)
    found = []
    for first, second in combinations(columns, 2):
        one, other = by_column.get(first, {}), by_column.get(second, {})
        apart = {target: one[target] - other[target] for target in one if target in other}
        if not apart:
            continue
        sample = _sample(apart, units)
        t, p_two_sided, p_greater = paired_t_test(sample.values)
        found.append(
            PairedTest(
                set_name=set_name,
                first=first,
                second=second,
                masks=len(apart),
                difference=mean_interval(sample, config.differences),
                t=t,
                p_two_sided=p_two_sided,
                p_greater=p_greater,
            )
        )
    return found


def _units(ratings: Iterable[Rating], unit: Unit) -> dict[str, str]:
    """By annotated mask, what is drawn together with it."""
    return {one.target: one.target if unit == "masks" else one.picture for one in ratings}


def _sample(values: Mapping[str, float], units: Mapping[str, str]) -> Sample:
    targets = sorted(values)
    return Sample(np.array([values[target] for target in targets]), tuple(units[target] for target in targets))


def _deviations(ratings: Iterable[Rating]) -> list[float]:
    given: dict[tuple[str, str], list[int]] = {}
    for one in ratings:
        given.setdefault((one.target, one.column), []).append(one.score)
    return [float(np.std(scores, ddof=1)) for scores in given.values() if len(scores) > 1]


def _rater(name: str, ratings: Iterable[Rating]) -> RaterFigures:
    own = [one for one in ratings if one.rater == name]
    scores = np.array([one.score for one in own], np.float64)
    return RaterFigures(
        rater=name,
        ratings=len(own),
        mean=float(scores.mean()),
        deviation=float(scores.std()),
        median_s=float(np.median([one.seconds for one in own])),
    )
