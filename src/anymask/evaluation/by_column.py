"""Pictures evaluated column by column: what a column's file knows is used again, the rest is computed, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from anymask.errors import DatasetError
from anymask.evaluation.rows import Row, RowFile
from anymask.evaluation.spread import in_order

Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures in all)."""


class Named(Protocol):
    """A picture."""

    @property
    def name(self) -> str:
        """`SET/ID`."""
        ...


P = TypeVar("P", bound=Named)
R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True, eq=False)
class Task(Generic[P, R]):
    """One picture, and what is already known of it."""

    picture: P
    sha256: str
    """The hash of its data."""
    known: dict[str, R]
    missing: tuple[str, ...]
    """Names of the columns that have to be computed."""


@dataclass(frozen=True, slots=True)
class Evaluated(Generic[R]):
    """What was found."""

    columns: dict[str, list[R]]
    """By name, in the order of the pictures."""
    bad: list[tuple[str, str]]
    """Pictures that could not be read, each with the reason; in no column."""


def evaluate(
    compute: Callable[[Any, Task[P, R]], dict[str, R] | str],
    shared: Any,
    pictures: Iterable[tuple[P, str]],
    files: Mapping[str, RowFile[R]],
    names: Sequence[str],
    *,
    total: int,
    max_bad_share: float,
    progress: Progress | None = None,
    workers: int = 1,
) -> Evaluated[R]:
    """Every column's result on each of `total` pictures, given with the hash of their data.

    `compute(shared, task)` gives the missing results by column, or why the picture cannot be read. What it gives is
    kept in `files` (none: nothing is kept) as soon as it is known. With several `workers` it runs in new processes.

    Raises: DatasetError for more unreadable pictures than `max_bad_share`; as `in_order` and `RowFile.add`.
    """
    columns: dict[str, list[R]] = {name: [] for name in names}
    bad: list[tuple[str, str]] = []
    tasks = _tasks(pictures, files, names)
    for done, (task, outcome) in enumerate(in_order(compute, shared, tasks, workers), start=1):
        if isinstance(outcome, str):
            bad.append((task.picture.name, outcome))
        else:
            for name in names:
                if name in outcome and name in files:
                    files[name].add(outcome[name])
                columns[name].append(outcome[name] if name in outcome else task.known[name])
        if progress is not None:
            progress(done, total)
    if len(bad) > max_bad_share * total:
        raise DatasetError(
            f"{len(bad)} of {total} pictures cannot be read, first {bad[0][0]}: {bad[0][1]}; "
            "repair the data, or raise max_bad_share of the experiment's settings"
        )
    return Evaluated(columns, bad)


def _tasks(
    pictures: Iterable[tuple[P, str]], files: Mapping[str, RowFile[R]], names: Sequence[str]
) -> Iterator[Task[P, R]]:
    for picture, sha256 in pictures:
        found = {name: file.get(picture.name, sha256) for name, file in files.items()}
        known = {name: result for name, result in found.items() if result is not None}
        yield Task(picture, sha256, known, tuple(name for name in names if name not in known))
