"""Clicks and boxes on labelled pictures: how good is the first mask, and how fast do more clicks mend it?

Source: after SAM (arXiv 2304.02643) section 7.1 and appendix D.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from anymask.dataset.read import read_source
from anymask.dataset.record import Record
from anymask.errors import ConfigError, DatasetError, ImageError
from anymask.evaluation.metrics import BootstrapConfig, iou_of_each
from anymask.evaluation.results import (
    FIRST_MEASURES,
    BoxScores,
    ClickScores,
    PictureResult,
    ResultFile,
    TargetResult,
    curve_measure,
    record_hash,
)
from anymask.evaluation.segmenter import Segmenter
from anymask.evaluation.spread import in_order
from anymask.evaluation.targets import Target, TargetConfig, choose_targets
from anymask.masks.boxes import mask_to_box
from anymask.masks.rle import encode
from anymask.prompts.clicks import most_interior_point, next_click
from anymask.prompts.types import FOREGROUND, Prompt

Mask = npt.NDArray[np.bool_]
Logits = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures in all)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PointsConfig:
    """The experiment's settings."""

    targets: TargetConfig = field(default_factory=TargetConfig)
    """Which regions are asked for."""
    clicks: tuple[int, ...] = (1, 2, 3, 5, 9)
    """Numbers of clicks to score after; rising, from 1 on."""
    max_pictures: int | None = None
    """Most pictures of each set, a fixed draw; all when None."""
    bootstrap: BootstrapConfig = field(default_factory=BootstrapConfig)
    """Error bars."""
    max_bad_share: float = 0.05
    """A larger share of unreadable pictures ends the evaluation with an error; fewer are named and left out."""

    def __post_init__(self) -> None:
        if not self.clicks or self.clicks[0] != 1 or list(self.clicks) != sorted(set(self.clicks)):
            raise ConfigError(f"PointsConfig.clicks must rise from 1, got {self.clicks}")
        if self.max_pictures is not None and self.max_pictures < 1:
            raise ConfigError(f"PointsConfig.max_pictures must be at least 1, got {self.max_pictures}")
        if not 0 <= self.max_bad_share <= 1:
            raise ConfigError(f"PointsConfig.max_bad_share must be in [0, 1], got {self.max_bad_share}")

    @property
    def measures(self) -> tuple[str, ...]:
        """The names of all scores, in the order of tables."""
        return (*FIRST_MEASURES, *(curve_measure(count) for count in self.clicks if count > 1))


@dataclass(frozen=True, kw_only=True, slots=True)
class PointsResult:
    """What an evaluation found; `evaluation/report.py` makes tables and pages of it."""

    config: PointsConfig
    columns: dict[str, tuple[PictureResult, ...]]
    """Per segmenter, in the order given, its results in the order of the pictures."""
    without_targets: tuple[str, ...]
    """Pictures that no region qualifies in."""
    bad: tuple[tuple[str, str], ...]
    """Pictures that could not be read, each with the reason; in no score."""


def run(
    config: PointsConfig,
    data: Sequence[Path | str],
    segmenters: Sequence[Segmenter],
    *,
    out: Path | None = None,
    progress: Progress | None = None,
    workers: int = 1,
) -> PointsResult:
    """Ask every segmenter the same prompts about every picture of `data` (tar shards, folders of sets).

    With `out`, each result is kept there as soon as it is known (`NAME.jsonl` a segmenter), and a second run goes on
    where the first ended. With several `workers` the pictures are spread over as many new processes, which takes
    segmenters that can be pickled; results do not depend on it.

    Raises: DatasetError for damaged shards, or more unreadable pictures than `max_bad_share`; ConfigError for no
    segmenter, or two of one name; RunError when `out` holds results of other settings.
    """
    names = [segmenter.name for segmenter in segmenters]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"an evaluation needs at least one segmenter, each with its own name, got {names}")
    wanted = choose_pictures(data, config.max_pictures)
    files = (
        {}
        if out is None
        else {one.name: ResultFile(out / f"{one.name}.jsonl", settings(config, one)) for one in segmenters}
    )
    columns: dict[str, list[PictureResult]] = {name: [] for name in names}
    without_targets, bad = [], []
    tasks = _tasks(data, wanted, names, files)
    for done, (task, outcome) in enumerate(in_order(_outcome, (tuple(segmenters), config), tasks, workers), start=1):
        if isinstance(outcome, str):
            bad.append((task.record.name, outcome))
        else:
            for name in names:
                if name in outcome and files:
                    files[name].add(outcome[name])
                columns[name].append(outcome[name] if name in outcome else task.known[name])
            if not columns[names[0]][-1].targets:
                without_targets.append(task.record.name)
        if progress is not None:
            progress(done, len(wanted))
    if len(bad) > config.max_bad_share * len(wanted):
        raise DatasetError(
            f"{len(bad)} of {len(wanted)} pictures cannot be read, first {bad[0][0]}: {bad[0][1]}; "
            "repair the data, or raise PointsConfig.max_bad_share"
        )
    return PointsResult(
        config=config,
        columns={name: tuple(rows) for name, rows in columns.items()},
        without_targets=tuple(without_targets),
        bad=tuple(bad),
    )


def settings(config: PointsConfig, segmenter: Segmenter) -> str:
    """What must be equal for a kept result to be used again. How many pictures are taken is no part of it."""
    return f"{config.targets} clicks {config.clicks[-1]} {segmenter.name}: {segmenter.fingerprint}"


def choose_pictures(data: Sequence[Path | str], most: int | None) -> set[str]:
    """The names of the pictures to evaluate: of each set at most `most`, spread by a hash of their names, so that fewer
    are always among more.

    Raises: DatasetError for no picture at all, or one name twice.
    """
    by_set: dict[str, list[str]] = {}
    for record in _records(data):
        by_set.setdefault(record.set_name, []).append(record.name)
    chosen: list[str] = []
    for names in by_set.values():
        chosen += sorted(names, key=lambda name: (zlib.crc32(name.encode()), name))[:most]
    if not chosen:
        raise DatasetError(f"no picture in {[str(path) for path in data]}; give tar shards or folders of sets")
    if len(set(chosen)) != len(chosen):
        raise DatasetError("a picture comes twice in the data given; give each shard or folder once")
    return set(chosen)


def score_picture(segmenter: Segmenter, record: Record, config: PointsConfig) -> PictureResult:
    """One segmenter's scores on one picture.

    Raises: ImageError or DatasetError for a damaged picture or label map.
    """
    targets = choose_targets(record, config.targets)
    if targets:
        segmenter.set_image(record.pixels())
    scored = tuple(score_target(segmenter, target, config.clicks[-1]) for target in targets)
    return PictureResult(picture=record.name, sha256=record_hash(record), targets=scored)


def score_target(segmenter: Segmenter, target: Target, clicks: int) -> TargetResult:
    """One segmenter's scores on one region of the picture it was given, with up to `clicks` clicks."""
    return TargetResult(
        map_index=target.map_index,
        label=target.label,
        area_px=target.area_px,
        clicks=_score_clicks(segmenter, target.mask, clicks) if segmenter.takes_points else None,
        box=_score_box(segmenter, target.mask) if segmenter.takes_boxes else None,
    )


def _score_clicks(segmenter: Segmenter, target: Mask, count: int) -> ClickScores:
    """Click on the middle, then again and again on the deepest error; from the second click on, ask for one mask."""
    points, labels = [most_interior_point(target)], [FOREGROUND]
    answer = segmenter.predict(_clicks_prompt(points, labels, None), multimask=True)
    first, ious = answer, iou_of_each(answer.masks, target)
    curve = [float(ious[answer.best])]
    while len(curve) < count:
        point, label = next_click(answer.masks[answer.best], target)
        points.append(point)
        labels.append(label)
        logits = None if answer.logits is None else answer.logits[answer.best]
        answer = segmenter.predict(_clicks_prompt(points, labels, logits), multimask=False)
        curve.append(float(iou_of_each(answer.masks, target)[answer.best]))
    mask = encode(first.masks[first.best])
    return ClickScores(confident=curve[0], oracle=float(ious.max()), curve=tuple(curve), mask=mask)


def _score_box(segmenter: Segmenter, target: Mask) -> BoxScores:
    prompt = Prompt(box_xyxy=mask_to_box(target))
    single = segmenter.predict(prompt, multimask=False)
    three = segmenter.predict(prompt, multimask=True) if segmenter.gives_three else single
    ious = iou_of_each(three.masks, target)
    return BoxScores(
        single=float(iou_of_each(single.masks, target)[single.best]),
        confident=float(ious[three.best]),
        oracle=float(ious.max()),
        mask=encode(single.masks[single.best]),
    )


def _clicks_prompt(points: list[tuple[float, float]], labels: list[int], logits: Logits | None) -> Prompt:
    return Prompt(points_xy=np.array(points, np.float32), labels=np.array(labels, np.int64), mask_logits=logits)


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """One picture, and what is already known of it."""

    record: Record
    known: dict[str, PictureResult]
    missing: tuple[str, ...]
    """Names of the segmenters that have to be asked."""


_Outcome = dict[str, PictureResult] | str
"""The missing results by segmenter, or why the picture cannot be read."""


def _tasks(
    data: Sequence[Path | str], wanted: set[str], names: Sequence[str], files: dict[str, ResultFile]
) -> Iterator[_Task]:
    for record in _records(data):
        if record.name in wanted:
            sha256 = record_hash(record)
            found = {name: file.get(record.name, sha256) for name, file in files.items()}
            known = {name: result for name, result in found.items() if result is not None}
            yield _Task(record, known, tuple(name for name in names if name not in known))


def _records(data: Sequence[Path | str]) -> Iterator[Record]:
    for path in data:
        yield from read_source(path)


def _outcome(shared: tuple[Sequence[Segmenter], PointsConfig], task: _Task) -> _Outcome:
    segmenters, config = shared
    try:
        return {one.name: score_picture(one, task.record, config) for one in segmenters if one.name in task.missing}
    except (ImageError, DatasetError) as error:
        return str(error)
