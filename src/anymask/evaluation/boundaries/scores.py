"""ODS, OIS, AP and R50 from counts of matched pixels, and their intervals by bootstrap over pictures.

Source: the Berkeley benchmark's `collect_eval_bdry.m`; R50 as in Dollár and Zitnick's `edgesEvalDir.m` where precision
rises with the threshold. Where it does not (weak edge maps, whose few surest pixels may all be wrong) that code takes
whichever level comes next to .5, which can be one without recall; here the highest recall counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from anymask.errors import InputError
from anymask.evaluation.boundaries.matching import Counts
from anymask.evaluation.metrics import BootstrapConfig, Interval

Floats = npt.NDArray[np.float64]

_BETWEEN = 100
"""Places looked at between two neighbouring thresholds for the best F."""
_AT_ONCE = 200
"""Resamples computed together; bounds memory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """The benchmark's figures over N pictures."""

    ods: float
    """Best F with one threshold for all pictures."""
    ods_precision: float
    """Precision there."""
    ods_recall: float
    """Recall there."""
    ods_level: float
    """Where that is: a place among the levels, 0 the first, fractions between two."""
    ois: float
    """F with the best threshold of each picture."""
    ap: float
    """Area under precision over recall; 0 for a single level."""
    r50: float
    """Recall at 50 % precision; nan where precision never reaches it."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Precision and recall at K levels, summed over pictures."""

    precision: Floats
    recall: Floats


def curve(counts: Sequence[Counts]) -> Curve:
    """The curve of several pictures' summed counts.

    Raises: InputError for no picture, or pictures counted at different numbers of levels.
    """
    table = _Table.of(counts)
    return _curve(table, np.ones((1, len(counts))), 0)


def score(counts: Sequence[Counts]) -> Scores:
    """The figures of several pictures.

    Raises: InputError for no picture, or pictures counted at different numbers of levels.
    """
    return _score(_Table.of(counts), np.ones((1, len(counts))))[0]


def score_intervals(counts: Sequence[Counts], config: BootstrapConfig) -> dict[str, Interval]:
    """`ods`, `ois`, `ap` and `r50` with their intervals: the pictures are drawn again, with replacement.

    Resamples in which precision never reaches 50 % have no R50 and are left out of its interval.

    Raises: InputError as `score`.
    """
    drawn = _resampled(_Table.of(counts), config)
    return {name: _interval(value, [one[name] for one in drawn], config) for name, value in _figures(counts).items()}


def score_differences(
    first: Sequence[Counts], second: Sequence[Counts], config: BootstrapConfig
) -> dict[str, Interval]:
    """How much higher the first counts score than the second, of the same pictures in the same order: the same pictures
    are drawn for both, so what the two have in common (hard pictures) cancels.

    Raises: InputError as `score`, or for other numbers of pictures.
    """
    if len(first) != len(second):
        raise InputError(f"a paired difference needs the same pictures, got {len(first)} and {len(second)}")
    ours, theirs = (_resampled(_Table.of(counts), config) for counts in (first, second))
    mine, other = _figures(first), _figures(second)
    return {
        name: _interval(
            mine[name] - other[name], [a[name] - b[name] for a, b in zip(ours, theirs, strict=True)], config
        )
        for name in mine
    }


def _figures(counts: Sequence[Counts]) -> dict[str, float]:
    return _named(score(counts))


def _named(scores: Scores) -> dict[str, float]:
    return {name: getattr(scores, name) for name in ("ods", "ois", "ap", "r50")}


def _resampled(table: _Table, config: BootstrapConfig) -> list[dict[str, float]]:
    """The figures of each resample; the same draws for every table of as many pictures."""
    rng = np.random.default_rng(config.seed)
    pictures = len(table.truth)
    even = np.full(pictures, 1 / pictures)
    drawn: list[dict[str, float]] = []
    for start in range(0, config.resamples, _AT_ONCE):
        weights = rng.multinomial(pictures, even, size=min(_AT_ONCE, config.resamples - start))
        drawn += [_named(one) for one in _score(table, weights.astype(np.float64))]
    return drawn


def _interval(value: float, resamples: Sequence[float], config: BootstrapConfig) -> Interval:
    known = np.array([one for one in resamples if np.isfinite(one)])
    tail = (1 - config.level) / 2
    low, high = np.quantile(known, [tail, 1 - tail]) if len(known) else (np.nan, np.nan)
    return Interval(value, float(low), float(high))


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """The counts of N pictures at K levels, as (N, K) arrays."""

    matched_truth: Floats
    truth: Floats
    matched_predicted: Floats
    predicted: Floats

    @staticmethod
    def of(counts: Sequence[Counts]) -> _Table:
        if not counts or len({len(one.predicted) for one in counts}) != 1:
            raise InputError(
                f"{len(counts)} pictures at {sorted({len(one.predicted) for one in counts})} levels; "
                "expected one or more pictures, all counted at the same levels"
            )
        truth = np.array([one.truth for one in counts], np.float64)
        levels = len(counts[0].predicted)
        return _Table(
            np.stack([one.matched_truth for one in counts]).astype(np.float64),
            np.repeat(truth[:, None], levels, axis=1),
            np.stack([one.matched_predicted for one in counts]).astype(np.float64),
            np.stack([one.predicted for one in counts]).astype(np.float64),
        )

    def weighted(self, weights: Floats) -> _Table:
        """(B, K) sums over pictures for (B, N) weights."""
        return _Table(*(weights @ getattr(self, field.name) for field in fields(self)))

    def recall(self) -> Floats:
        """Share of the true pixels that are matched; 0 where there are none."""
        return self.matched_truth / np.maximum(self.truth, 1)

    def precision(self) -> Floats:
        """Share of the predicted pixels that are matched; 0 where there are none."""
        return self.matched_predicted / np.maximum(self.predicted, 1)


def _curve(table: _Table, weights: Floats, row: int) -> Curve:
    sums = table.weighted(weights)
    return Curve(sums.precision()[row], sums.recall()[row])


def _score(table: _Table, weights: Floats) -> list[Scores]:
    """The figures for each row of (B, N) weights."""
    sums = table.weighted(weights)
    precision, recall = sums.precision(), sums.recall()
    best_level = _f(table.precision(), table.recall()).argmax(axis=1)[:, None]
    at_best = _Table(*(np.take_along_axis(getattr(table, field.name), best_level, 1) for field in fields(table)))
    of_best = at_best.weighted(weights)
    ois = _f(of_best.precision(), of_best.recall())[:, 0]
    found = []
    for row in range(len(weights)):
        level, best_precision, best_recall = _best_f(precision[row], recall[row])
        found.append(
            Scores(
                ods=float(_f(np.float64(best_precision), np.float64(best_recall))),
                ods_precision=best_precision,
                ods_recall=best_recall,
                ods_level=level,
                ois=float(ois[row]),
                ap=_area(precision[row], recall[row]),
                r50=_recall_at_half(precision[row], recall[row]),
            )
        )
    return found


def _f(precision: Floats | np.float64, recall: Floats | np.float64) -> Floats:
    """Harmonic mean; 0 where both are."""
    total = precision + recall
    return np.asarray(2 * precision * recall / np.where(total > 0, total, 1))


def _best_f(precision: Floats, recall: Floats) -> tuple[float, float, float]:
    """Level, precision and recall where F is highest on the straight lines between neighbouring levels."""
    share = np.linspace(0, 1, _BETWEEN)
    if len(precision) == 1:
        return 0.0, float(precision[0]), float(recall[0])
    between = [(one[:-1, None] * (1 - share) + one[1:, None] * share).ravel() for one in (precision, recall)]
    best = int(_f(*between).argmax())
    level = best // _BETWEEN + float(share[best % _BETWEEN])
    return level, float(between[0][best]), float(between[1][best])


def _area(precision: Floats, recall: Floats) -> float:
    """Mean precision at recalls 0, .01, ..., 1, straight lines between levels, 0 beyond the ends of the curve."""
    places, first = np.unique(recall, return_index=True)
    if len(places) < 2:
        return 0.0
    at = np.linspace(0, 1, 101)
    return float(np.interp(at, places, precision[first], left=0, right=0).sum() / 100)


def _recall_at_half(precision: Floats, recall: Floats) -> float:
    """The highest recall at which the curve, straight between neighbouring levels, has a precision of .5 or more."""
    reached = recall[precision >= 0.5]
    above = precision - 0.5
    crossed = np.flatnonzero(above[:-1] * above[1:] < 0)
    share = above[crossed] / (above[crossed] - above[crossed + 1])
    at = np.concatenate([reached, recall[crossed] + share * (recall[crossed + 1] - recall[crossed])])
    return float(at.max()) if len(at) else float("nan")
