"""ODS, OIS, AP and R50 from counts, by hand and by slow loops as the benchmark's MATLAB code goes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from anymask.errors import InputError
from anymask.evaluation.boundaries.matching import Counts
from anymask.evaluation.boundaries.scores import curve, score, score_differences, score_intervals
from anymask.evaluation.metrics import BootstrapConfig


def counts(rows: list[tuple[int, int, int]], truth: int) -> Counts:
    """(matched truth, matched predicted, predicted) a level."""
    matched_truth, matched, predicted = (np.array(column) for column in zip(*rows, strict=True))
    return Counts(matched_truth, truth, matched, predicted)


def drawn(seed: int, pictures: int = 12, levels: int = 20) -> list[Counts]:
    """Counts as real curves are: recall falls and precision rises with the threshold."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(pictures):
        truth = int(rng.integers(500, 3000))
        share = np.sort(rng.uniform(0.02, 0.95, levels))[::-1]
        precision = np.clip(1 - share * rng.uniform(0.3, 0.9), 0.05, 1)
        predicted = (truth * share / precision).astype(np.int64)
        matched = (predicted * precision).astype(np.int64)
        found.append(Counts((truth * share).astype(np.int64), truth, matched, predicted))
    return found


def slow_scores(pictures: list[Counts]) -> tuple[float, float, float, float]:
    """ODS, OIS, AP, R50 with loops over levels, as `edgesEvalDir.m` computes them."""

    def rpf(matched_truth: float, truth: float, matched: float, predicted: float) -> tuple[float, float, float]:
        recall, precision = matched_truth / max(truth, 1e-16), matched / max(predicted, 1e-16)
        return recall, precision, 2 * precision * recall / max(precision + recall, 1e-16)

    levels = len(pictures[0].predicted)
    rows, best = [], np.zeros(4)
    for level in range(levels):
        sums = [0.0] * 4
        for one in pictures:
            values = (one.matched_truth[level], one.truth, one.matched_predicted[level], one.predicted[level])
            sums = [a + float(b) for a, b in zip(sums, values, strict=True)]
        rows.append(rpf(*sums))
    for one in pictures:
        of_level = [
            (one.matched_truth[k], one.truth, one.matched_predicted[k], one.predicted[k]) for k in range(levels)
        ]
        best += max(of_level, key=lambda values: rpf(*values)[2])
    ods = 0.0
    for (r0, p0, _), (r1, p1, _) in pairwise(rows):
        for share in np.linspace(0, 1, 100):
            recall, precision = r0 + share * (r1 - r0), p0 + share * (p1 - p0)
            ods = max(ods, 2 * precision * recall / (precision + recall))
    by_recall = sorted({row[0]: row[1] for row in reversed(rows)}.items())
    at = np.arange(0, 1.01, 0.01)
    x, y = zip(*by_recall, strict=True)
    ap = sum(float(np.interp(one, x, y)) for one in at if x[0] <= one <= x[-1]) / 100
    by_precision = sorted({row[1]: row[0] for row in reversed(rows)}.items())
    x, y = zip(*by_precision, strict=True)
    return ods, rpf(*best)[2], ap, float(np.interp(max(0.5, x[0]), x, y))


@pytest.mark.parametrize("seed", range(8))
def test_figures_are_those_of_the_slow_loops(seed: int) -> None:
    pictures = drawn(seed)
    found = score(pictures)
    assert (found.ods, found.ois, found.ap, found.r50) == pytest.approx(slow_scores(pictures), abs=1e-9)


def test_figures_of_two_pictures_by_hand() -> None:
    one = counts([(80, 80, 160), (40, 40, 40)], 100)
    two = counts([(50, 50, 200), (50, 50, 50)], 100)
    found = score([one, two])
    # Level 0: recall .65, precision 130 / 360; level 1: recall .45, precision 1. The best F lies between the two.
    share = np.linspace(0, 1, 100)
    recall, precision = 0.65 - 0.2 * share, 130 / 360 + 230 / 360 * share
    best = np.argmax(2 * recall * precision / (recall + precision))
    assert found.ods_level == pytest.approx(share[best])
    assert (found.ods_recall, found.ods_precision) == pytest.approx((recall[best], precision[best]))
    assert found.ods == pytest.approx(2 * recall[best] * precision[best] / (recall[best] + precision[best]))
    # The first picture is best at level 0, the second at level 1: 130 of 200 true, 130 of 210 predicted pixels.
    assert found.ois == pytest.approx(2 * 130 / (200 + 210))
    assert found.r50 == pytest.approx(0.65 - 0.2 * (0.5 - 130 / 360) / (1 - 130 / 360))
    shown = curve([one, two])
    assert shown.recall.tolist() == [0.65, 0.45]
    assert shown.precision.tolist() == [130 / 360, 1]


def test_recall_at_half_precision_is_the_highest_there_is() -> None:
    # Precision is .4, .8, .3 and, of a single pixel, 1: .5 is crossed on the way up and down, and at the end.
    rows = [(80, 40, 100), (60, 80, 100), (40, 30, 100), (1, 1, 1)]
    assert score([counts(rows, 100)]).r50 == pytest.approx(0.8 - 0.2 * 0.25)


def test_one_level_has_an_f_but_no_area() -> None:
    found = score([counts([(50, 60, 100)], 100)])
    assert found.ods == found.ois == pytest.approx(2 * 0.5 * 0.6 / 1.1)
    assert (found.ap, found.ods_level) == (0, 0)


def test_nothing_predicted_scores_zero_and_has_no_recall_at_half_precision() -> None:
    found = score([counts([(0, 0, 0), (0, 0, 0)], 100)])
    assert (found.ods, found.ois, found.ap) == (0, 0, 0)
    assert np.isnan(found.r50)


def test_intervals_hold_the_figure_shrink_with_pictures_and_repeat() -> None:
    config = BootstrapConfig(resamples=300)
    few, many = drawn(1, pictures=5), drawn(1, pictures=80)
    intervals = score_intervals(many, config)
    assert intervals == score_intervals(many, config)
    found = score(many)
    for name, interval in intervals.items():
        assert interval.mean == getattr(found, name)
        assert interval.low < interval.mean < interval.high
    wide = score_intervals(few, config)["ods"]
    assert wide.high - wide.low > intervals["ods"].high - intervals["ods"].low
    assert score_intervals(many, BootstrapConfig(resamples=300, level=0.5))["ods"].high < intervals["ods"].high


def test_pictures_of_other_levels_or_none_are_refused() -> None:
    with pytest.raises(InputError, match="0 pictures"):
        score([])
    with pytest.raises(InputError, match=r"levels; expected one or more pictures"):
        score([counts([(1, 1, 1)], 2), counts([(1, 1, 1)] * 2, 2)])


def test_a_paired_difference_is_narrower_than_the_scores_and_none_to_itself() -> None:
    config, pictures = BootstrapConfig(resamples=200), drawn(2, pictures=30)
    worse = [Counts(one.matched_truth, one.truth, one.matched_predicted, one.predicted + 50) for one in pictures]
    found = score_differences(pictures, worse, config)
    assert found["ods"].mean == pytest.approx(score(pictures).ods - score(worse).ods)
    assert 0 < found["ods"].low < found["ods"].mean < found["ods"].high
    alone = score_intervals(pictures, config)["ods"]
    assert found["ods"].high - found["ods"].low < alone.high - alone.low
    assert {(one.mean, one.low, one.high) for one in score_differences(worse, worse, config).values()} == {(0, 0, 0)}
    with pytest.raises(InputError, match="the same pictures, got 30 and 29"):
        score_differences(pictures, worse[1:], config)
