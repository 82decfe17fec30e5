"""Means over sets of pictures, with error bars that resample pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anymask.errors import ConfigError
from anymask.masks.overlap import mask_iou

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class BootstrapConfig:
    """How error bars are drawn."""

    resamples: int = 10_000
    """Number of times the pictures are drawn again, with replacement."""
    level: float = 0.95
    """Share of the resampled scores inside the interval."""
    seed: int = 0
    """Seed of the draws; the same seed gives the same interval."""

    def __post_init__(self) -> None:
        if self.resamples < 1:
            raise ConfigError(f"BootstrapConfig.resamples must be at least 1, got {self.resamples}")
        if not 0 < self.level < 1:
            raise ConfigError(f"BootstrapConfig.level must be between 0 and 1, got {self.level}")


@dataclass(frozen=True, slots=True)
class Interval:
    """A score with its bootstrap interval."""

    mean: float
    low: float
    high: float

    @property
    def is_above_zero(self) -> bool:
        """Whether the whole interval is: for a difference, that the first is better beyond the luck of the pictures."""
        return self.low > 0


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The score of every mask of one set, and the picture that each mask is of."""

    values: Floats
    """(N,) one score a mask."""
    pictures: tuple[str, ...]
    """(N,) picture names; masks of one picture are drawn together, since they are not independent."""

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.pictures),) or len(self.pictures) == 0:
            raise ConfigError(f"a sample needs one score a mask and at least one, got {self.values.shape}")

    def minus(self, other: Sample) -> Sample:
        """The differences, mask by mask.

        Raises: ConfigError when the two are not of the same pictures in the same order.
        """
        if self.pictures != other.pictures:
            raise ConfigError("a paired difference needs two samples of the same masks in the same order")
        return Sample(self.values - other.values, self.pictures)


def iou_of_each(masks: npt.NDArray[np.bool_], target: npt.NDArray[np.bool_]) -> Floats:
    """(M,) IoU of (M, H, W) masks with one (H, W) target."""
    return mask_iou(masks, target)[:, 0].astype(np.float64)


def mean_interval(sample: Sample, config: BootstrapConfig) -> Interval:
    """The mean over the masks of one set. Pictures are resampled, each with all its masks.

    Source: the percentile bootstrap (Efron 1979) over pictures.
    """
    return _interval(float(sample.values.mean()), _resampled_means(sample, config), config)


def mean_of_sets_interval(samples: Sequence[Sample], config: BootstrapConfig) -> Interval:
    """The mean over sets of each set's mean over masks; pictures are resampled inside each set."""
    if not samples:
        raise ConfigError("a mean over sets needs at least one set")
    # A stream of its own for each set, so that adding a set does not change the others' draws.
    resampled = np.mean([_resampled_means(sample, config, stream) for stream, sample in enumerate(samples)], axis=0)
    return _interval(float(np.mean([sample.values.mean() for sample in samples])), resampled, config)


def difference_intervals(
    a: Mapping[str, Sample], b: Mapping[str, Sample], config: BootstrapConfig
) -> tuple[dict[str, Interval], Interval]:
    """Per set, and for the mean over sets: how much higher `a` scores than `b`, by paired bootstrap.

    The same pictures are drawn for both, so what the two have in common (hard pictures) cancels.

    Raises: ConfigError when the sets or the masks of a set are not the same.
    """
    if a.keys() != b.keys():
        raise ConfigError(f"a paired difference needs the same sets, got {sorted(a)} and {sorted(b)}")
    differences = {name: a[name].minus(b[name]) for name in a}
    per_set = {name: mean_interval(sample, config) for name, sample in differences.items()}
    return per_set, mean_of_sets_interval(list(differences.values()), config)


def rank_correlation(predicted: Floats, actual: Sample, config: BootstrapConfig) -> Interval:
    """Spearman's rank correlation of (N,) predictions with the N actual values; pictures are resampled, each with all
    its masks. 0 where all of one side are equal."""
    drawn = [_spearman(predicted[rows], actual.values[rows]) for rows in _resampled_rows(actual.pictures, config)]
    return _interval(_spearman(predicted, actual.values), np.array(drawn), config)


def rank_correlation_difference(
    first: tuple[Floats, Sample], second: tuple[Floats, Sample], config: BootstrapConfig
) -> Interval:
    """How far the rank correlation of the first (predictions, actual values) is above the second's, by paired
    bootstrap: the same pictures are drawn for both.

    Raises: ConfigError when the two are not of the same masks in the same order.
    """
    if first[1].pictures != second[1].pictures:
        raise ConfigError("a paired difference needs two samples of the same masks in the same order")
    pairs = [(predicted, actual.values) for predicted, actual in (first, second)]

    def apart(rows: npt.NDArray[np.int64]) -> float:
        one, other = (_spearman(predicted[rows], actual[rows]) for predicted, actual in pairs)
        return one - other

    drawn = [apart(rows) for rows in _resampled_rows(first[1].pictures, config)]
    return _interval(apart(np.arange(len(first[0]))), np.array(drawn), config)


def _resampled_rows(pictures: Sequence[str], config: BootstrapConfig) -> Iterator[npt.NDArray[np.int64]]:
    """The rows of as many pictures as there are, drawn with replacement, once a resample."""
    names, owner = np.unique(np.array(pictures), return_inverse=True)
    rng = np.random.default_rng([config.seed, 0])
    of_picture = [np.flatnonzero(owner == index) for index in range(len(names))]
    for _ in range(config.resamples):
        yield np.concatenate([of_picture[index] for index in rng.integers(0, len(names), len(names))])


def _spearman(a: Floats, b: Floats) -> float:
    first, second = _ranks(a), _ranks(b)
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: Floats) -> Floats:
    """(N,) ranks from 1 on; equals share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def _resampled_means(sample: Sample, config: BootstrapConfig, stream: int = 0) -> Floats:
    """(resamples,) means over masks, each over as many pictures as there are, drawn with replacement."""
    names, group = np.unique(np.array(sample.pictures), return_inverse=True)
    totals = np.bincount(group, weights=sample.values, minlength=len(names))
    counts = np.bincount(group, minlength=len(names)).astype(np.float64)
    rng = np.random.default_rng([config.seed, stream])
    even = np.full(len(names), 1 / len(names))
    means = np.empty(config.resamples)
    block = max(1, 2**22 // len(names))  # bounds memory to a few tens of MB
    for start in range(0, config.resamples, block):
        rows = min(block, config.resamples - start)
        drawn = rng.multinomial(len(names), even, size=rows).astype(np.float64)  # (rows, pictures) times drawn
        means[start : start + rows] = (drawn @ totals) / (drawn @ counts)
    return means


def _interval(mean: float, resampled: Floats, config: BootstrapConfig) -> Interval:
    tail = (1 - config.level) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Interval(mean, float(low), float(high))
