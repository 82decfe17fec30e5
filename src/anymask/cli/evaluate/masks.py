"""What `anymask evaluate proposals` and `instances` share: their data, their columns, and what is said at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anymask.cli import console
from anymask.cli.evaluate.columns import column_name
from anymask.errors import ConfigError, DatasetError

if TYPE_CHECKING:
    from anymask.evaluation.answering import Answered
    from anymask.evaluation.experiment import Experiment
    from anymask.evaluation.file_answers import FileAnswers
    from anymask.evaluation.pictures import LabelledPictures

SOME_FAILED = 1

ANNOTATIONS = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Ground truth: a COCO or LVIS json file.", show_default=False),
]
PICTURES = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="With --annotations: the folder its file names start from.", show_default=False),
]
SUITE = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="The paper's 23 datasets, those that are there.", show_default=False),
]
DATA = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="PATH",
        help="Instead of --annotations: a tar shard or folder of label maps, or of SA-1B; may be repeated.",
        show_default=False,
    ),
]
RESULTS = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]FILE",
        help="Masks of others as a column: COCO results json; may be repeated.",
        show_default=False,
    ),
]
MODELS = Annotated[
    list[str] | None,
    typer.Option(
        help="A name or file, as elsewhere; may be repeated; none for results files alone.", show_default="tiny"
    ),
]
MAX_PICTURES = Annotated[
    int | None, typer.Option(help="Most pictures of each set, a fixed draw.", show_default="all", min=1)
]


@dataclass(frozen=True, kw_only=True, slots=True)
class GroundTruthOptions:
    """Where pictures and annotations are."""

    annotations: Path | None = None
    """A COCO or LVIS file."""
    pictures: Path | None = None
    """The folder of its pictures."""
    data: tuple[Path, ...] = ()
    """Or shards and folders."""

    def open(self) -> LabelledPictures:
        """The pictures.

        Raises: ConfigError for both or neither; DatasetError when they are not there.
        """
        from anymask.evaluation.pictures import AnnotationFile, RecordedPictures

        if self.annotations is not None and self.pictures is not None and not self.data:
            check_there([self.annotations, self.pictures])
            return AnnotationFile(self.annotations, self.pictures)
        if self.data and self.annotations is None and self.pictures is None:
            check_there(self.data)
            return RecordedPictures(self.data)
        raise ConfigError(
            "give ground truth: --annotations FILE with --pictures DIR, or --data PATH; "
            "`anymask evaluate datasets` says how to get the paper's"
        )

    @property
    def named(self) -> list[str]:
        """As the report names it."""
        return [str(path) for path in (self.annotations, self.pictures, *self.data) if path is not None]


def check_there(paths: Iterable[Path]) -> None:
    """Say how to get the data of an experiment that is named and not there; what else is not there is told later.

    Raises: DatasetError with the page.
    """
    from anymask.evaluation.datasets import page_for

    for path in paths:
        page = None if path.exists() else page_for(path)
        if page is not None:
            raise DatasetError(f"{path} is not there. How to get what goes by this name:\n{page}")


def result_files(given: Sequence[str]) -> list[FileAnswers]:
    """A column for each `[NAME=]FILE`.

    Raises: ConfigError when a file is not there.
    """
    from anymask.evaluation.file_answers import FileAnswers

    columns = []
    for text in given:
        name, _, rest = text.rpartition("=")
        path = Path(rest)
        if not path.is_file():
            raise ConfigError(f"there is no results file {rest}; give [NAME=]FILE, a COCO results json")
        columns.append(FileAnswers(path, name or path.stem))
    return columns


def mean_times(answered: Answered) -> dict[str, tuple[float, float]]:
    """Per column, mean seconds a picture of its own work and of the scoring."""
    return {
        name: (
            sum(row.model_s for row in rows) / len(rows),
            sum(row.scoring_s for row in rows) / len(rows),
        )
        for name, rows in answered.columns.items()
        if rows
    }


def seen_remarks(models: Sequence[str], set_names: Iterable[str]) -> tuple[str, ...]:
    """A sentence for each model that learned from a set it is scored on, or of which that is not known.

    A set's name does not tell its training pictures from its validation pictures, so neither can the sentence.
    """
    from anymask.evaluation.seen import UNKNOWN, has_seen, trained_sets

    remarks, sets = [], sorted(set(set_names))
    for model in models:
        known = trained_sets(model)
        seen = [] if known is None else [name for name in sets if has_seen(known, name)]
        if known is None:
            remarks.append(f"{column_name(model)}: {UNKNOWN}.")
        elif seen:
            remarks.append(
                f"{column_name(model)} learned from pictures of {', '.join(seen)}; its scores there are of what it has "
                "not seen only if these are others, a validation split."
            )
    return tuple(remarks)


def finish(experiment: Experiment, folder: Path | None, *, as_json: bool) -> None:
    """Write the report, print it, and end with exit code 1 when pictures could not be used."""
    from anymask.evaluation.experiment import to_plain_experiment, to_text, write_experiment

    if folder is not None:
        write_experiment(experiment, folder)
    if as_json:
        console.say_json(to_plain_experiment(experiment))
    else:
        for line in to_text(experiment).splitlines():
            console.say(line)
        if folder is not None:
            console.say(f"report -> {folder / 'report.html'}")
    if experiment.bad:
        console.warn(f"{len(experiment.bad)} pictures could not be used; the first is {experiment.bad[0][0]}")
        raise typer.Exit(SOME_FAILED)
