"""Scores and error bars, against loops that say the same slowly."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from anymask.errors import ConfigError
from anymask.evaluation.metrics import (
    BootstrapConfig,
    Sample,
    difference_intervals,
    iou_of_each,
    mean_interval,
    mean_of_sets_interval,
    rank_correlation,
)

CONFIG = BootstrapConfig(resamples=4000)


def sample(seed: int, pictures: int = 30, masks: int = 4, level: float = 0.5) -> Sample:
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, masks + 1, pictures)
    names = [f"p{i}" for i, count in enumerate(counts) for _ in range(count)]
    hardness = np.repeat(rng.normal(0, 0.1, pictures), counts)
    return Sample(level + hardness + rng.normal(0, 0.05, len(names)), tuple(names))


def slow_bootstrap(values: Sample, resamples: int, seed: int) -> tuple[float, float]:
    """Draw pictures with replacement, collect their masks, average; 95 %."""
    rng = np.random.default_rng(seed)
    pictures = sorted(set(values.pictures))
    scores = {name: [v for v, p in zip(values.values, values.pictures, strict=True) if p == name] for name in pictures}
    means = []
    for _ in range(resamples):
        drawn = [pictures[i] for i in rng.integers(0, len(pictures), len(pictures))]
        means.append(np.mean([score for name in drawn for score in scores[name]]))
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def test_iou_of_each_counts_pixels() -> None:
    rng = np.random.default_rng(0)
    masks, target = rng.random((5, 9, 11)) > 0.5, rng.random((9, 11)) > 0.5
    slow = [(mask & target).sum() / (mask | target).sum() for mask in masks]
    np.testing.assert_allclose(iou_of_each(masks, target), slow, rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_the_interval_is_that_of_drawing_pictures_one_by_one(seed: int) -> None:
    values = sample(seed)
    fast = mean_interval(values, CONFIG)
    low, high = slow_bootstrap(values, 4000, seed + 50)
    assert fast.mean == pytest.approx(np.mean(values.values))
    assert fast.low == pytest.approx(low, abs=0.004)
    assert fast.high == pytest.approx(high, abs=0.004)


def test_masks_of_one_picture_do_not_count_as_independent() -> None:
    one_each = sample(1, pictures=30, masks=1)
    copied = Sample(np.repeat(one_each.values, 10), tuple(np.repeat(one_each.pictures, 10)))
    a, b = mean_interval(one_each, CONFIG), mean_interval(copied, CONFIG)
    assert (a.low, a.high) == pytest.approx((b.low, b.high))


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        values = Sample(rng.normal(0.5, 0.2, 40), tuple(f"p{i}" for i in range(40)))
        interval = mean_interval(values, BootstrapConfig(resamples=400))
        covered += interval.low <= 0.5 <= interval.high
    assert 0.89 <= covered / 300 <= 0.98


def test_the_mean_of_sets_weighs_each_set_once() -> None:
    few, many = sample(1, pictures=5, level=0.2), sample(2, pictures=200, level=0.8)
    both = mean_of_sets_interval([few, many], CONFIG)
    assert both.mean == pytest.approx((few.values.mean() + many.values.mean()) / 2)
    assert both.low < both.mean < both.high
    alone = mean_of_sets_interval([many], CONFIG)
    assert (alone.low, alone.high) == pytest.approx(
        (mean_interval(many, CONFIG).low, mean_interval(many, CONFIG).high), abs=0.004
    )


def test_pairing_finds_a_difference_that_hard_pictures_hide() -> None:
    worse = sample(3)
    better = Sample(worse.values + 0.02, worse.pictures)
    per_set, overall = difference_intervals({"s": better}, {"s": worse}, CONFIG)
    assert mean_interval(worse, CONFIG).high > mean_interval(better, CONFIG).low  # apart, the two overlap
    assert per_set["s"].is_above_zero
    assert overall.low == pytest.approx(0.02)
    assert not difference_intervals({"s": worse}, {"s": better}, CONFIG)[1].is_above_zero


def test_no_difference_is_not_found_to_be_one() -> None:
    one, other = sample(4), sample(4)
    noise = np.random.default_rng(9).normal(0, 0.05, len(one.pictures))
    _, overall = difference_intervals(
        {"s": one}, {"s": Sample(other.values + noise - noise.mean(), other.pictures)}, CONFIG
    )
    assert overall.low < 0 < overall.high


def test_the_same_seed_gives_the_same_interval_and_another_another() -> None:
    values = sample(5)
    assert mean_interval(values, CONFIG) == mean_interval(values, CONFIG)
    assert mean_interval(values, CONFIG) != mean_interval(values, BootstrapConfig(resamples=4000, seed=1))


def test_a_wider_level_gives_a_wider_interval() -> None:
    narrow, wide = (mean_interval(sample(6), BootstrapConfig(level=level)) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_unpaired_samples_are_refused() -> None:
    with pytest.raises(ConfigError, match="same masks"):
        sample(1).minus(sample(2))
    with pytest.raises(ConfigError, match="same sets"):
        difference_intervals({"a": sample(1)}, {"b": sample(1)}, CONFIG)


def test_a_sample_without_masks_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        Sample(np.zeros(0), ())
    with pytest.raises(ConfigError, match="at least one set"):
        mean_of_sets_interval([], CONFIG)


@pytest.mark.parametrize("bad", [{"resamples": 0}, {"level": 0.0}, {"level": 1.0}])
def test_a_bad_bootstrap_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(bad))):
        BootstrapConfig(**bad)


def test_rank_correlation_is_scipys_and_its_interval_holds_it() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.integers(0, 8, 60) / 8  # with equals
    actual = predicted + rng.normal(0, 0.3, 60)
    sample = Sample(actual, tuple(str(index // 3) for index in range(60)))
    found = rank_correlation(predicted, sample, BootstrapConfig(resamples=200))
    assert found.mean == pytest.approx(spearmanr(predicted, actual).statistic, abs=1e-12)
    assert found.low < found.mean < found.high
    assert rank_correlation(np.ones(60), sample, BootstrapConfig(resamples=5)).mean == 0
