"""Edges against the lines that people drew: the Berkeley benchmark over a dataset, a column for each edge finder.

Source: after SAM (arXiv 2304.02643) section 7.2 and appendix D.2; the benchmark itself is `evaluation/boundaries/`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from anymask.dataset.formats.bsds import is_bsds_folder, read_bsds
from anymask.dataset.read import read_source
from anymask.errors import ConfigError, DatasetError, ImageError, InputError
from anymask.evaluation.boundaries.matching import TOLERANCE, Counts, count_matches
from anymask.evaluation.by_column import Progress, Task, evaluate
from anymask.evaluation.edge_finders import EdgeFinder, EdgePicture, MapFolder, ModelEdges
from anymask.evaluation.metrics import BootstrapConfig
from anymask.evaluation.pictures import draw
from anymask.evaluation.rows import RowFile

ANNOTATORS = "annotators"
"""The column in which each annotator is scored against the others of the picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeBenchmarkConfig:
    """The experiment's settings. The defaults are the benchmark's."""

    levels: int = 99
    """Thresholds at which edge maps are cut; segmentations bring their own number of levels."""
    tolerance: float = TOLERANCE
    """How far apart matched pixels may lie, as a share of the picture's diagonal."""
    split: str = "test"
    """Split of a folder in the Berkeley layout."""
    sets: tuple[str, ...] = ("bsds500",)
    """Sets of shards and other folders that take part; their label maps must partition whole pictures."""
    max_pictures: int | None = None
    """Most pictures of each set, a fixed draw; all when None."""
    annotators: bool = True
    """Score each annotator against the others too."""
    bootstrap: BootstrapConfig = field(default_factory=lambda: BootstrapConfig(resamples=1000))
    """Error bars."""
    max_bad_share: float = 0.05
    """A larger share of unreadable pictures ends the evaluation with an error; fewer are named and left out."""

    def __post_init__(self) -> None:
        if self.levels < 1:
            raise ConfigError(f"EdgeBenchmarkConfig.levels must be at least 1, got {self.levels}")
        for name in ("tolerance", "max_bad_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"EdgeBenchmarkConfig.{name} must be in [0, 1], got {getattr(self, name)}")
        if self.max_pictures is not None and self.max_pictures < 1:
            raise ConfigError(f"EdgeBenchmarkConfig.max_pictures must be at least 1, got {self.max_pictures}")


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeResult:
    """What one column scored on one picture."""

    picture: str
    """`SET/ID`."""
    sha256: str
    """First 16 digits of the hash of picture and ground truth, so that changed data is evaluated again."""
    counts: Counts
    find_s: float
    """Seconds it took to find the edges."""
    match_s: float
    """Seconds it took to thin and match them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgesResult:
    """What an evaluation found; `evaluation/edges_report.py` makes tables and pages of it."""

    config: EdgeBenchmarkConfig
    columns: dict[str, tuple[EdgeResult, ...]]
    """Per finder, in the order given, then `ANNOTATORS`: its results in the order of the pictures' names."""
    notes: dict[str, str]
    """What has to stand beside some columns: "trained on these pictures"."""
    bad: tuple[tuple[str, str], ...]
    """Pictures that could not be read, each with the reason; in no score."""


def run(
    config: EdgeBenchmarkConfig,
    data: Sequence[Path | str],
    finders: Sequence[EdgeFinder],
    *,
    out: Path | None = None,
    progress: Progress | None = None,
    workers: int = 1,
) -> EdgesResult:
    """Score every finder on every picture of `data`: Berkeley folders, tar shards, folders of sets.

    With `out`, each result is kept there as soon as it is known (`NAME.jsonl` a column), and a second run goes on where
    the first ended. With several `workers` the pictures are spread over as many new processes, which takes finders that
    can be pickled; results do not depend on it.

    Raises: DatasetError for damaged data, pictures without a map in a `MapFolder`, or more unreadable pictures than
    `max_bad_share`; ConfigError for no column, or two of one name; RunError when `out` holds results of other settings.
    """
    names = [*(finder.name for finder in finders), *([ANNOTATORS] if config.annotators else [])]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"an evaluation needs at least one column, each with its own name, got {names}")
    wanted = choose_pictures(data, config)
    _check_maps(finders, wanted)
    kept: dict[str, RowFile[EdgeResult]] = {}
    if out is not None:
        settings = {finder.name: finder.fingerprint for finder in finders} | {ANNOTATORS: ANNOTATORS}
        for name in names:
            kept[name] = RowFile(
                out / f"{name}.jsonl",
                f"edges {config.levels} levels, tolerance {config.tolerance}, {settings[name]}",
                _to_plain,
                edges_from_plain,
            )
    pictures = ((one, one.sha256()) for one in pictures_of(data, config) if one.name in wanted)
    found = evaluate(
        _outcome,
        (tuple(finders), config),
        pictures,
        kept,
        names,
        total=len(wanted),
        max_bad_share=config.max_bad_share,
        progress=progress,
        workers=workers,
    )
    sets = sorted({name.split("/", 1)[0] for name in wanted})
    notes = {finder.name: finder.note(sets) for finder in finders if isinstance(finder, ModelEdges)}
    return EdgesResult(
        config=config,
        columns={name: tuple(sorted(rows, key=lambda row: row.picture)) for name, rows in found.columns.items()},
        notes={name: note for name, note in notes.items() if note},
        bad=tuple(found.bad),
    )


def pictures_of(data: Sequence[Path | str], config: EdgeBenchmarkConfig) -> Iterator[EdgePicture]:
    """The pictures of `data` that take part, one in memory at a time.

    Raises: DatasetError as the readers.
    """
    for path in data:
        if is_bsds_folder(path):
            yield from (EdgePicture(one) for one in read_bsds(path, config.split))
        else:
            yield from (EdgePicture(one) for one in read_source(path) if one.set_name in config.sets)


def choose_pictures(data: Sequence[Path | str], config: EdgeBenchmarkConfig) -> dict[str, str]:
    """Name -> id of the pictures to evaluate: of each set at most `max_pictures`, a draw as in other experiments.

    Raises: DatasetError for no picture at all, or one twice.
    """
    names = [(picture.name, picture.id) for picture in pictures_of(data, config)]
    if not names:
        raise DatasetError(
            f"no picture of the sets {', '.join(config.sets)} in {[str(path) for path in data]}; give the unpacked "
            "BSDS500 archive, or shards that hold such a set, or name the sets that are there"
        )
    if len({name for name, _ in names}) != len(names):
        raise DatasetError("a picture comes twice in the data given; give each shard or folder once")
    chosen = draw([name for name, _ in names], config.max_pictures)
    return {name: picture_id for name, picture_id in names if name in chosen}


def score_picture(finder: EdgeFinder, picture: EdgePicture, config: EdgeBenchmarkConfig) -> EdgeResult:
    """One finder's counts on one picture.

    Raises: ImageError or DatasetError for a damaged picture, ground truth or map; InputError for a map of another size.
    """
    truths = picture.lines()
    begun = time.perf_counter()
    levels = finder.find(picture, config.levels)
    found = time.perf_counter()
    if levels and levels[0].shape != truths[0].shape:
        raise DatasetError(
            f"{finder.name} gives a map of {levels[0].shape} (height, width) for {picture.name}, whose ground truth is "
            f"{truths[0].shape}; give maps of the pictures' own size"
        )
    counts = count_matches(levels, truths, tolerance=config.tolerance)
    return _result(picture, counts, found - begun, time.perf_counter() - found)


def score_annotators(picture: EdgePicture, config: EdgeBenchmarkConfig) -> EdgeResult:
    """The summed counts of each annotator's lines against those of the others; no counts where there is one alone.

    Raises: DatasetError for a damaged ground truth.
    """
    truths = picture.lines()
    begun = time.perf_counter()
    none = np.zeros(1, np.int64)
    counts = Counts(none, 0, none, none)
    for index, lines in enumerate(truths):
        others = truths[:index] + truths[index + 1 :]
        if others:
            counts += count_matches([lines], others, tolerance=config.tolerance)
    return _result(picture, counts, 0.0, time.perf_counter() - begun)


_Outcome = dict[str, EdgeResult] | str
"""The missing results by column, or why the picture cannot be read."""


def _outcome(shared: tuple[Sequence[EdgeFinder], EdgeBenchmarkConfig], task: Task[EdgePicture, EdgeResult]) -> _Outcome:
    finders, config = shared
    try:
        found = {one.name: score_picture(one, task.picture, config) for one in finders if one.name in task.missing}
        if ANNOTATORS in task.missing:
            found[ANNOTATORS] = score_annotators(task.picture, config)
    except (ImageError, DatasetError) as error:
        return str(error)
    return found


def _check_maps(finders: Sequence[EdgeFinder], wanted: dict[str, str]) -> None:
    """Refuse a folder of maps in which some picture has none, before anything is computed."""
    for finder in finders:
        if isinstance(finder, MapFolder) and (missing := finder.missing(sorted(wanted.values()))):
            raise DatasetError(
                f"{finder.folder} has no map of {len(missing)} of {len(wanted)} pictures, first {missing[:3]}; "
                "name each map after its picture: ID.png or ID.mat"
            )


def _result(picture: EdgePicture, counts: Counts, find_s: float, match_s: float) -> EdgeResult:
    return EdgeResult(
        picture=picture.name, sha256=picture.sha256(), counts=counts, find_s=round(find_s, 4), match_s=round(match_s, 4)
    )


def _to_plain(result: EdgeResult) -> dict[str, Any]:
    counts = result.counts
    return {
        "picture": result.picture,
        "sha256": result.sha256,
        "matched_truth": counts.matched_truth.tolist(),
        "truth": counts.truth,
        "matched_predicted": counts.matched_predicted.tolist(),
        "predicted": counts.predicted.tolist(),
        "find_s": result.find_s,
        "match_s": result.match_s,
    }


def edges_from_plain(plain: dict[str, Any]) -> EdgeResult:
    """What a column's file keeps of one picture.

    Raises: InputError for counts at different numbers of levels.
    """
    arrays = [np.array(plain[name], np.int64) for name in ("matched_truth", "matched_predicted", "predicted")]
    if not len(arrays[0]) == len(arrays[1]) == len(arrays[2]):
        raise InputError(f"{plain['picture']} has counts at different numbers of levels; delete the file")
    return EdgeResult(
        picture=plain["picture"],
        sha256=plain["sha256"],
        counts=Counts(arrays[0], int(plain["truth"]), arrays[1], arrays[2]),
        find_s=float(plain["find_s"]),
        match_s=float(plain["match_s"]),
    )
