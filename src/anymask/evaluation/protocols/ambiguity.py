"""The three masks that answer one click: does predicted IoU rank them, is it calibrated, do they lie in each other?

The paper asks this of its decoder (section 3, "Resolving ambiguity": whole, part, sub-part, ranked by predicted IoU)
without giving figures; the measures are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from anymask.dataset.read import read_source
from anymask.dataset.record import Record
from anymask.errors import ConfigError, DatasetError, ImageError
from anymask.evaluation.metrics import BootstrapConfig, Interval, Sample, iou_of_each, mean_interval, rank_correlation
from anymask.evaluation.protocols.points import Progress, choose_pictures
from anymask.evaluation.segmenter import Segmenter
from anymask.evaluation.spread import in_order
from anymask.evaluation.targets import TargetConfig, choose_targets
from anymask.prompts.clicks import most_interior_point
from anymask.prompts.types import Prompt

Floats = npt.NDArray[np.float64]
ALL_SETS = "all sets"
"""The row of all clicks together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AmbiguityConfig:
    """The experiment's settings."""

    targets: TargetConfig = field(default_factory=TargetConfig)
    """Which regions are clicked on: those of the points experiment."""
    contained_from: float = 0.9
    """Share of a smaller mask that must lie in the next larger one for the two to count as nested."""
    bins: int = 10
    """Bins of predicted IoU, of equal width, for calibration."""
    max_pictures: int | None = None
    """Most pictures of each set, a fixed draw; all when None."""
    bootstrap: BootstrapConfig = field(default_factory=lambda: BootstrapConfig(resamples=1000))
    """Error bars."""
    max_bad_share: float = 0.05
    """A larger share of unreadable pictures ends the evaluation with an error; fewer are named and left out."""

    def __post_init__(self) -> None:
        if not 0 < self.contained_from <= 1:
            raise ConfigError(f"AmbiguityConfig.contained_from must be in (0, 1], got {self.contained_from}")
        if self.bins < 2:
            raise ConfigError(f"AmbiguityConfig.bins must be at least 2, got {self.bins}")
        if self.max_pictures is not None and self.max_pictures < 1:
            raise ConfigError(f"AmbiguityConfig.max_pictures must be at least 1, got {self.max_pictures}")
        if not 0 <= self.max_bad_share <= 1:
            raise ConfigError(f"AmbiguityConfig.max_bad_share must be in [0, 1], got {self.max_bad_share}")


@dataclass(frozen=True, slots=True, eq=False)
class ClickAnswer:
    """What one click was answered with."""

    picture: str
    predicted: Floats
    """(3,) predicted IoU."""
    actual: Floats
    """(3,) IoU with the region clicked on."""
    contained: float
    """The smaller of two shares: of the smallest mask in the middle one, and of that in the largest."""
    smallest_to_largest: float
    """Area of the smallest mask over that of the largest; 1 when all are the same."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """The figures of one set of clicks."""

    set_name: str
    pictures: int
    clicks: int
    spearman: Interval
    """Rank correlation of predicted with actual IoU over all masks."""
    chosen_is_best: Interval
    """Share of clicks whose most confident mask is the best of the three."""
    confident: Interval
    """Mean IoU of the most confident mask."""
    oracle: Interval
    """Mean IoU of the best of three."""
    contained: Interval
    """Share of clicks whose three masks, by size, lie in each other."""
    smallest_to_largest: float
    """Median area of the smallest mask over that of the largest: near 1 the three would be one."""
    calibration_error: float
    """Mean over masks of the distance between the predicted and the actual mean IoU of their bin."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AmbiguityResult:
    """What was found."""

    config: AmbiguityConfig
    standings: tuple[Standing, ...]
    """Each set's, then that of all clicks together when there are several sets."""
    calibration: tuple[tuple[float, float, int], ...]
    """Over all sets, a bin of predicted IoU that holds any mask: mean predicted IoU, mean actual IoU, masks."""
    without_targets: tuple[str, ...]
    """Pictures that no region qualifies in."""
    bad: tuple[tuple[str, str], ...]
    """Pictures that could not be read, each with the reason; in no figure."""


def run(
    config: AmbiguityConfig,
    data: Sequence[Path | str],
    segmenter: Segmenter,
    *,
    progress: Progress | None = None,
    workers: int = 1,
) -> AmbiguityResult:
    """Click once on the middle of every region of `data` (tar shards, folders of sets) and look at the three answers.

    Raises: DatasetError for damaged shards, no region at all, or more unreadable pictures than `max_bad_share`;
    ConfigError for a segmenter without three masks.
    """
    if not (segmenter.takes_points and segmenter.gives_three):
        raise ConfigError(f"{segmenter.name} does not answer a click with three masks; give a promptable model")
    wanted = choose_pictures(data, config.max_pictures)
    answers: dict[str, list[ClickAnswer]] = {}
    bad, without_targets = [], []
    tasks = in_order(_outcome, (segmenter, config), _chosen(data, wanted), workers)
    for done, (record, outcome) in enumerate(tasks, start=1):
        if isinstance(outcome, str):
            bad.append((record.name, outcome))
        elif outcome:
            answers.setdefault(record.set_name, []).extend(outcome)
        else:
            without_targets.append(record.name)
        if progress is not None:
            progress(done, len(wanted))
    if len(bad) > config.max_bad_share * len(wanted):
        raise DatasetError(
            f"{len(bad)} of {len(wanted)} pictures cannot be read, first {bad[0][0]}: {bad[0][1]}; "
            "repair the data, or raise AmbiguityConfig.max_bad_share"
        )
    if not answers:
        raise DatasetError("no picture has a region to click on; see TargetConfig for which qualify")
    together = [answer for of_set in answers.values() for answer in of_set]
    groups = dict(answers) if len(answers) == 1 else {**answers, ALL_SETS: together}
    return AmbiguityResult(
        config=config,
        standings=tuple(stand(name, found, config) for name, found in groups.items()),
        calibration=tuple(calibrate(*_pairs(together), config.bins)),
        without_targets=tuple(without_targets),
        bad=tuple(bad),
    )


def look_at(predicted: npt.ArrayLike, masks: npt.NDArray[np.bool_], actual: Floats, picture: str) -> ClickAnswer:
    """The record of one click: (3,) predicted IoU, (3, H, W) masks, (3,) actual IoU. An empty mask lies in any other.

    >>> small, large = np.zeros((2, 1, 4, 4), bool)
    >>> small[0, :2, :2], large[0, :, :2] = True, True
    >>> found = look_at([0.5, 0.5, 0.5], np.concatenate([large, small, large]), np.ones(3), "a")
    >>> found.contained, found.smallest_to_largest
    (1.0, 0.5)
    """
    areas = masks.sum((1, 2))
    order = np.argsort(areas, kind="stable")
    inside = [
        float((masks[small] & masks[large]).sum() / areas[small]) if areas[small] else 1.0
        for small, large in pairwise(order)
    ]
    ratio = float(areas[order[0]] / areas[order[-1]]) if areas[order[-1]] else 1.0
    return ClickAnswer(picture, np.asarray(predicted, np.float64), actual, min(inside), ratio)


def stand(name: str, answers: Sequence[ClickAnswer], config: AmbiguityConfig) -> Standing:
    """The figures of some clicks."""
    pictures = tuple(answer.picture for answer in answers)
    predicted, actual = _pairs(answers)

    def share(values: Callable[[ClickAnswer], float]) -> Interval:
        return mean_interval(Sample(np.array([values(one) for one in answers], np.float64), pictures), config.bootstrap)

    masks_a_click = len(answers[0].predicted)
    owners = tuple(picture for picture in pictures for _ in range(masks_a_click))
    bins = calibrate(predicted, actual, config.bins)
    return Standing(
        set_name=name,
        pictures=len(set(pictures)),
        clicks=len(answers),
        spearman=rank_correlation(predicted, Sample(actual, owners), config.bootstrap),
        chosen_is_best=share(lambda one: one.actual[one.predicted.argmax()] == one.actual.max()),
        confident=share(lambda one: one.actual[one.predicted.argmax()]),
        oracle=share(lambda one: one.actual.max()),
        contained=share(lambda one: one.contained >= config.contained_from),
        smallest_to_largest=float(np.median([one.smallest_to_largest for one in answers])),
        calibration_error=sum(abs(said - true) * count for said, true, count in bins) / len(predicted),
    )


def calibrate(predicted: Floats, actual: Floats, bins: int) -> list[tuple[float, float, int]]:
    """For each bin of predicted IoU that holds any of (N,) masks: mean predicted, mean actual, how many. Predictions
    outside [0, 1] count to the first or last bin.

    >>> calibrate(np.array([0.1, 0.9, 0.7]), np.array([0.0, 1.0, 0.5]), 2)
    [(0.1, 0.0, 1), (0.8, 0.75, 2)]
    """
    places = np.clip((predicted * bins).astype(np.int64), 0, bins - 1)
    found = []
    for place in range(bins):
        here = places == place
        if here.any():
            found.append((float(predicted[here].mean()), float(actual[here].mean()), int(here.sum())))
    return found


def _pairs(answers: Sequence[ClickAnswer]) -> tuple[Floats, Floats]:
    return np.concatenate([one.predicted for one in answers]), np.concatenate([one.actual for one in answers])


def _chosen(data: Sequence[Path | str], wanted: set[str]) -> Iterator[Record]:
    return (record for path in data for record in read_source(path) if record.name in wanted)


def _outcome(shared: tuple[Segmenter, AmbiguityConfig], record: Record) -> list[ClickAnswer] | str:
    segmenter, config = shared
    try:
        targets = choose_targets(record, config.targets)
        if targets:
            segmenter.set_image(record.pixels())
    except (ImageError, DatasetError) as error:
        return str(error)
    found = []
    for target in targets:
        click = Prompt(points_xy=np.array([most_interior_point(target.mask)], np.float32))
        answer = segmenter.predict(click, multimask=True)
        found.append(look_at(answer.scores, answer.masks, iou_of_each(answer.masks, target.mask), record.name))
    return found
