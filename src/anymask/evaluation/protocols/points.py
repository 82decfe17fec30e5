"""Clicks and boxes on labelled pictures: how good is the first mask, and how fast do more clicks mend it?

Source: after SAM (arXiv 2304.02643) section 7.1 and appendix D.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from anymask.dataset.labelled import Data, picture_names, read_data
from anymask.dataset.record import Record
from anymask.errors import ConfigError, DatasetError, ImageError
from anymask.evaluation.asking import FirstClick, ask_picture
from anymask.evaluation.by_column import Progress, Task, evaluate
from anymask.evaluation.metrics import BootstrapConfig
from anymask.evaluation.pictures import draw
from anymask.evaluation.results import FIRST_MEASURES, PictureResult, ResultFile, curve_measure, record_hash
from anymask.evaluation.sampling import count_targets, sample_about
from anymask.evaluation.segmenter import Segmenter
from anymask.evaluation.targets import TargetConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class PointsConfig:
    """The experiment's settings."""

    targets: TargetConfig = field(default_factory=TargetConfig)
    """Which regions are asked for."""
    clicks: tuple[int, ...] = (1, 2, 3, 5, 9)
    """Numbers of clicks to score after; rising, from 1 on."""
    first_click: FirstClick = "centre"
    """Where the first click lies: at the region's most interior pixel, or anywhere in it; later ones always lie in the
    middle of the largest error."""
    max_pictures: int | None = None
    """Most pictures of each set, a fixed draw; all when None."""
    paper_sampling: bool = False
    """Of sets with more than 15,000 masks take pictures at random that hold about 10,000, as the paper does."""
    bootstrap: BootstrapConfig = field(default_factory=BootstrapConfig)
    """Error bars."""
    max_bad_share: float = 0.05
    """A larger share of unreadable pictures ends the evaluation with an error; fewer are named and left out."""

    def __post_init__(self) -> None:
        if not self.clicks or self.clicks[0] != 1 or list(self.clicks) != sorted(set(self.clicks)):
            raise ConfigError(f"PointsConfig.clicks must rise from 1, got {self.clicks}")
        if self.max_pictures is not None and self.max_pictures < 1:
            raise ConfigError(f"PointsConfig.max_pictures must be at least 1, got {self.max_pictures}")
        if self.first_click not in get_args(FirstClick):
            raise ConfigError(f"PointsConfig.first_click must be centre or random, got {self.first_click!r}")
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
    absent: tuple[str, ...] = ()
    """Datasets that were asked for and are not there."""
    data: tuple[str, ...] = ()
    """What was evaluated on, as it was given."""
    notes: tuple[str, ...] = ()
    """What has to be known beside the numbers, such as which column learned from these pictures."""


def run(
    config: PointsConfig,
    data: Sequence[Data],
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
    if config.paper_sampling:
        wanted = sample_about(count_targets(data, wanted, config.targets), seed=config.targets.seed)
    files = (
        {}
        if out is None
        else {one.name: ResultFile(out / f"{one.name}.jsonl", settings(config, one)) for one in segmenters}
    )
    pictures = ((record, record_hash(record)) for record in read_data(data) if record.name in wanted)
    found = evaluate(
        _outcome,
        (tuple(segmenters), config),
        pictures,
        files,
        names,
        total=len(wanted),
        max_bad_share=config.max_bad_share,
        progress=progress,
        workers=workers,
    )
    return PointsResult(
        config=config,
        columns={name: tuple(rows) for name, rows in found.columns.items()},
        without_targets=tuple(row.picture for row in found.columns[names[0]] if not row.targets),
        bad=tuple(found.bad),
    )


def settings(config: PointsConfig, segmenter: Segmenter) -> str:
    """What must be equal for a kept result to be used again. How many pictures are taken is no part of it."""
    first = "" if config.first_click == "centre" else f"first {config.first_click} "
    return f"{config.targets} {first}clicks {config.clicks[-1]} {segmenter.name}: {segmenter.fingerprint}"


def choose_pictures(data: Sequence[Data], most: int | None) -> set[str]:
    """The names of the pictures to evaluate: of each set at most `most`, spread by a hash of their names, so that fewer
    are always among more.

    Raises: DatasetError for no picture at all, or one name twice.
    """
    names = [name for one in data for name in picture_names(one)]
    if not names:
        raise DatasetError(f"no picture in {[str(path) for path in data]}; give tar shards or folders of sets")
    if len(set(names)) != len(names):
        raise DatasetError("a picture comes twice in the data given; give each shard or folder once")
    return draw(names, most)


def score_picture(
    segmenter: Segmenter, record: Record, config: PointsConfig, sha256: str | None = None
) -> PictureResult:
    """One segmenter's scores on one picture; `sha256` as in `ask_picture`.

    Raises: ImageError or DatasetError for a damaged picture or label map.
    """
    clicks, first = config.clicks[-1], config.first_click
    return ask_picture(segmenter, record, config.targets, clicks=clicks, first_click=first, sha256=sha256)


_Outcome = dict[str, PictureResult] | str
"""The missing results by segmenter, or why the picture cannot be read."""


def _outcome(shared: tuple[Sequence[Segmenter], PointsConfig], task: Task[Record, PictureResult]) -> _Outcome:
    segmenters, config = shared
    try:
        wanted = [one for one in segmenters if one.name in task.missing]
        return {one.name: score_picture(one, task.picture, config, task.sha256) for one in wanted}
    except (ImageError, DatasetError) as error:
        return str(error)
