"""The three masks that answer one click: does predicted IoU rank them, is it calibrated, do they lie in each other?

The paper asks this of its decoder (section 3, "Resolving ambiguity": whole, part, sub-part, ranked by predicted IoU)
without giving figures; the measures are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anymask.dataset.read import read_source
from anymask.dataset.record import Record
from anymask.errors import ConfigError, DatasetError, ImageError
from anymask.evaluation.by_column import Progress, Task, evaluate
from anymask.evaluation.metrics import (
    BootstrapConfig,
    Interval,
    Sample,
    iou_of_each,
    mean_interval,
    rank_correlation,
    rank_correlation_difference,
)
from anymask.evaluation.protocols.points import choose_pictures
from anymask.evaluation.results import record_hash
from anymask.evaluation.rows import RowFile
from anymask.evaluation.scores import ALL_SETS
from anymask.evaluation.segmenter import Segmenter
from anymask.evaluation.targets import TargetConfig, choose_targets
from anymask.prompts.clicks import most_interior_point
from anymask.prompts.types import Prompt

Floats = npt.NDArray[np.float64]


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
class PictureClicks:
    """What the clicks on one picture were answered with."""

    picture: str
    """`SET/ID`."""
    sha256: str
    """Changes with the picture or its annotation."""
    answers: tuple[ClickAnswer, ...]
    """None where no region qualifies."""

    @property
    def set_name(self) -> str:
        """The set the picture is of."""
        return self.picture.split("/", 1)[0]


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
    out: Path | None = None,
    progress: Progress | None = None,
    workers: int = 1,
) -> AmbiguityResult:
    """Click once on the middle of every region of `data` (tar shards, folders of sets) and look at the three answers.

    With `out`, what is known of a picture is kept there in `NAME.jsonl`, and a second run goes on where it ended.

    Raises: DatasetError for damaged shards, no region at all, or more unreadable pictures than `max_bad_share`;
    ConfigError for a segmenter without three masks; RunError when `out` holds results of other settings.
    """
    if not (segmenter.takes_points and segmenter.gives_three):
        raise ConfigError(f"{segmenter.name} does not answer a click with three masks; give a promptable model")
    wanted = choose_pictures(data, config.max_pictures)
    name = segmenter.name
    settings = f"ambiguity {config.targets} {name}: {segmenter.fingerprint}"
    files = {} if out is None else {name: RowFile(out / f"{name}.jsonl", settings, _to_plain, clicks_from_plain)}
    pictures = ((record, record_hash(record)) for record in _chosen(data, wanted))
    found = evaluate(
        _outcome,
        (segmenter, config),
        pictures,
        files,
        [name],
        total=len(wanted),
        max_bad_share=config.max_bad_share,
        progress=progress,
        workers=workers,
    )
    answers: dict[str, list[ClickAnswer]] = {}
    for row in found.columns[name]:
        if row.answers:
            answers.setdefault(row.set_name, []).extend(row.answers)
    if not answers:
        raise DatasetError("no picture has a region to click on; see TargetConfig for which qualify")
    together = [answer for of_set in answers.values() for answer in of_set]
    groups = dict(answers) if len(answers) == 1 else {**answers, ALL_SETS: together}
    return AmbiguityResult(
        config=config,
        standings=tuple(stand(set_name, clicks, config) for set_name, clicks in groups.items()),
        calibration=tuple(calibrate(*_pairs(together), config.bins)),
        without_targets=tuple(row.picture for row in found.columns[name] if not row.answers),
        bad=tuple(found.bad),
    )


def differences(
    first: Sequence[PictureClicks], second: Sequence[PictureClicks], config: AmbiguityConfig
) -> list[tuple[str, str, Interval]]:
    """(measure, set, how far the first is above the second) by paired bootstrap, each set's, then that of all clicks
    together when there are several; the pictures are the same in the same order.

    Raises: ConfigError when another number of regions was clicked on, or none.
    """
    sets = list(dict.fromkeys(row.set_name for row in first if row.answers))
    if not sets:
        raise ConfigError("no region was clicked on; there is nothing to compare")
    groups = {name: [index for index, row in enumerate(first) if row.set_name == name] for name in sets}
    if len(sets) > 1:
        groups[ALL_SETS] = list(range(len(first)))
    found = []
    for set_name, rows in groups.items():
        one, other = ([answer for row in rows for answer in side[row].answers] for side in (first, second))
        ranks = rank_correlation_difference(_ranked(one), _ranked(other), config.bootstrap)
        found.append(("Spearman", set_name, ranks))
        for measure, value in _MEASURES.items():
            left, right = (_sample(answers, value, config) for answers in (one, other))
            found.append((measure, set_name, mean_interval(left.minus(right), config.bootstrap)))
    return found


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
    predicted, actual = _ranked(answers)
    bins = calibrate(predicted, actual.values, config.bins)
    shares = {
        name: mean_interval(_sample(answers, value, config), config.bootstrap) for name, value in _MEASURES.items()
    }
    return Standing(
        set_name=name,
        pictures=len({answer.picture for answer in answers}),
        clicks=len(answers),
        spearman=rank_correlation(predicted, actual, config.bootstrap),
        chosen_is_best=shares["chosen is best"],
        confident=shares["chosen"],
        oracle=shares["best of 3"],
        contained=shares["nested"],
        smallest_to_largest=float(np.median([one.smallest_to_largest for one in answers])),
        calibration_error=sum(abs(said - true) * count for said, true, count in bins) / len(predicted),
    )


_MEASURES: dict[str, Callable[[ClickAnswer, AmbiguityConfig], float]] = {
    "chosen is best": lambda one, _: float(one.actual[one.predicted.argmax()] == one.actual.max()),
    "chosen": lambda one, _: float(one.actual[one.predicted.argmax()]),
    "best of 3": lambda one, _: float(one.actual.max()),
    "nested": lambda one, config: float(one.contained >= config.contained_from),
}
"""What is averaged over clicks, as tables head it."""


def _sample(
    answers: Sequence[ClickAnswer], value: Callable[[ClickAnswer, AmbiguityConfig], float], config: AmbiguityConfig
) -> Sample:
    return Sample(np.array([value(one, config) for one in answers]), tuple(one.picture for one in answers))


def _ranked(answers: Sequence[ClickAnswer]) -> tuple[Floats, Sample]:
    """Predicted and actual IoU of every mask, each with its picture."""
    predicted, actual = _pairs(answers)
    owners = tuple(one.picture for one in answers for _ in one.predicted)
    return predicted, Sample(actual, owners)


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


def _outcome(
    shared: tuple[Segmenter, AmbiguityConfig], task: Task[Record, PictureClicks]
) -> dict[str, PictureClicks] | str:
    segmenter, config = shared
    record = task.picture
    if not task.missing:
        return {}
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
    row = PictureClicks(picture=record.name, sha256=task.sha256, answers=tuple(found))
    return {segmenter.name: row}


def _to_plain(row: PictureClicks) -> dict[str, Any]:
    clicks = [
        {
            "predicted": one.predicted.tolist(),
            "actual": one.actual.tolist(),
            "contained": one.contained,
            "smallest_to_largest": one.smallest_to_largest,
        }
        for one in row.answers
    ]
    return {"picture": row.picture, "sha256": row.sha256, "clicks": clicks}


def clicks_from_plain(plain: dict[str, Any]) -> PictureClicks:
    """What a column's file keeps of one picture."""
    answers = [
        ClickAnswer(
            plain["picture"],
            np.array(one["predicted"], np.float64),
            np.array(one["actual"], np.float64),
            float(one["contained"]),
            float(one["smallest_to_largest"]),
        )
        for one in plain["clicks"]
    ]
    return PictureClicks(picture=plain["picture"], sha256=plain["sha256"], answers=tuple(answers))
