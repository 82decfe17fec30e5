from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from anymask.errors import ConfigError
from anymask.evaluation.rating.statistics import (
    Rating,
    RatingStatisticsConfig,
    compute,
    mean_ratings,
    paired_t_test,
)
from anymask.evaluation.scores import ALL_SETS

QUICK = RatingStatisticsConfig(resamples=500)


def given(
    target: int, column: str, score: int, rater: str = "Ann", set_name: str = "a", seconds: float = 2.0
) -> Rating:
    name = f"{set_name}/{target // 2}"
    return Rating(
        rater=rater,
        column=column,
        set_name=set_name,
        picture=name,
        target=f"{name}#{target}",
        score=score,
        seconds=seconds,
    )


def drawn(seed: int, count: int = 40, higher: float = 1.0) -> list[Rating]:
    rng = np.random.default_rng(seed)
    hard = rng.normal(5, 1.5, count)
    found = []
    for target, level in enumerate(hard):
        for column, add in (("new", higher), ("old", 0.0)):
            found.append(given(target, column, int(np.clip(round(level + add + rng.normal()), 1, 10))))
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("higher", [0.0, 1.0, -2.0])
def test_the_paired_t_test_is_scipys(seed: int, higher: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(1, 11, (2, 30)).astype(np.float64)
    t, two_sided, greater = paired_t_test(a + higher - b)
    theirs = stats.ttest_rel(a + higher, b)
    assert (t, two_sided) == (pytest.approx(theirs.statistic), pytest.approx(theirs.pvalue))
    assert greater == pytest.approx(stats.ttest_rel(a + higher, b, alternative="greater").pvalue)


def test_very_small_chances_are_not_rounded_to_nothing() -> None:
    differences = np.random.default_rng(0).normal(1.6, 2.5, 1000)
    _, two_sided, _ = paired_t_test(differences)
    assert 0 < two_sided < 1e-50
    assert two_sided == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, rel=1e-6)


def test_the_t_test_says_where_it_is_not_defined() -> None:
    assert all(math.isnan(value) for value in paired_t_test(np.array([1.0])))
    t, two_sided, greater = paired_t_test(np.zeros(4))
    assert math.isnan(t)
    assert (two_sided, greater) == (1.0, 1.0)
    assert paired_t_test(np.full(4, 2.0)) == (math.inf, 0.0, 0.0)
    assert paired_t_test(np.full(4, -2.0)) == (-math.inf, 0.0, 1.0)


def test_the_bootstrap_interval_is_that_of_drawing_masks_again_one_by_one() -> None:
    ratings = drawn(3)
    config = RatingStatisticsConfig(resamples=4000)
    (test,) = compute(ratings, ["new", "old"], config).tests
    by_column = mean_ratings(ratings)
    targets = sorted(by_column["new"])
    rng = np.random.default_rng(11)
    means = []
    for _ in range(4000):
        chosen = [targets[rng.integers(len(targets))] for _ in targets]
        means.append(np.mean([by_column["new"][one] - by_column["old"][one] for one in chosen]))
    low, high = np.quantile(means, [0.005, 0.995])
    assert test.difference.low == pytest.approx(low, abs=0.1)
    assert test.difference.high == pytest.approx(high, abs=0.1)
    assert test.difference.mean == pytest.approx(np.mean([by_column["new"][t] - by_column["old"][t] for t in targets]))


def test_pairing_finds_what_two_means_alone_would_not() -> None:
    ratings = drawn(5, 60, higher=0.8)
    figures = compute(ratings, ["new", "old"], QUICK)
    new, old = (one.mean for one in figures.means)
    assert new.low < old.high  # the two intervals overlap
    assert figures.tests[0].difference.low > 0
    assert figures.tests[0].p_two_sided < 0.01


def test_pictures_drawn_whole_give_wider_intervals_where_their_masks_are_alike() -> None:
    rng = np.random.default_rng(0)
    level = np.repeat(rng.integers(2, 9, 30), 2)
    ratings = [given(target, "new", int(level[target])) for target in range(60)]
    masks, pictures = (
        compute(ratings, ["new"], RatingStatisticsConfig(resamples=2000, unit=unit)).means[0].mean
        for unit in ("masks", "pictures")
    )
    assert masks.mean == pictures.mean
    assert pictures.high - pictures.low > 1.2 * (masks.high - masks.low)


def test_several_peoples_ratings_of_a_mask_are_one() -> None:
    ratings = [
        given(0, "new", 4),
        given(0, "new", 8, "Bob"),
        given(1, "new", 5),
        given(0, "old", 3),
        given(1, "old", 5),
    ]
    figures = compute(ratings, ["new", "old"], QUICK)
    assert [one.mean.mean for one in figures.means] == [5.5, 4.0]
    assert figures.tests[0].difference.mean == 1.5
    assert figures.rated_by_several == 1
    assert figures.disagreement == pytest.approx(np.std([4, 8], ddof=1))
    assert [(one.rater, one.ratings, one.mean) for one in figures.raters] == [("Ann", 4, 4.25), ("Bob", 1, 8.0)]


def test_columns_are_compared_on_masks_that_both_have() -> None:
    ratings = [given(0, "new", 9), given(1, "new", 9), given(2, "new", 1), given(0, "old", 5), given(1, "old", 6)]
    (test,) = compute(ratings, ["new", "old"], QUICK).tests
    assert (test.masks, test.difference.mean) == (2, 3.5)


def test_each_set_is_told_apart_and_all_together() -> None:
    ratings = [*drawn(1, 10), *(given(t, c, 5, set_name="b") for t in range(4) for c in ("new", "old"))]
    figures = compute(ratings, ["new", "old"], QUICK)
    assert [(one.set_name, one.column, one.masks) for one in figures.means] == [
        (name, column, masks) for name, masks in (("a", 10), ("b", 4), (ALL_SETS, 14)) for column in ("new", "old")
    ]
    assert [one.set_name for one in figures.tests] == ["a", "b", ALL_SETS]
    assert figures.tests[1].difference.mean == 0
    assert all(sum(one.shares) == pytest.approx(1) for one in figures.means)
    assert figures.means[2].shares[4] == 1


def test_figures_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="nobody"):
        compute([], ["new"], QUICK)
    with pytest.raises(ConfigError, match="1 to 10"):
        compute([given(0, "new", 11)], ["new"], QUICK)
    with pytest.raises(ConfigError, match="unit"):
        RatingStatisticsConfig(unit="people")
