from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from anymask.errors import DatasetError
from anymask.evaluation.by_column import Evaluated, Task, evaluate
from anymask.evaluation.rows import RowFile


@dataclass(frozen=True)
class Picture:
    name: str


@dataclass(frozen=True)
class Length:
    picture: str
    sha256: str
    value: int


def compute(asked: list[tuple[str, tuple[str, ...]]], task: Task[Picture, Length]) -> dict[str, Length] | str:
    asked.append((task.picture.name, task.missing))
    if task.picture.name == "bad":
        return "it is damaged"
    return {name: Length(task.picture.name, "1", len(task.picture.name) * len(name)) for name in task.missing}


def files(folder: Path, *names: str) -> dict[str, RowFile[Length]]:
    return {name: RowFile(folder / f"{name}.jsonl", "", vars, lambda plain: Length(**plain)) for name in names}


def run(names: list[str], kept: dict[str, RowFile[Length]], *pictures: str, sha256: str = "1") -> tuple[object, ...]:
    asked: list[tuple[str, tuple[str, ...]]] = []
    given = [(Picture(name), sha256) for name in pictures]
    told: list[tuple[int, int]] = []
    found: Evaluated[Length] = evaluate(
        compute,
        asked,
        given,
        kept,
        names,
        total=len(given),
        max_bad_share=0.5,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(index + 1, len(given)) for index in range(len(given))]
    return found, asked


def test_only_what_is_missing_is_computed_and_the_order_is_that_of_the_pictures(tmp_path: Path) -> None:
    run(["a"], files(tmp_path, "a"), "xx", "y")
    found, asked = run(["a", "bb"], files(tmp_path, "a", "bb"), "y", "xx", "zzz")
    assert asked == [("y", ("bb",)), ("xx", ("bb",)), ("zzz", ("a", "bb"))]
    assert isinstance(found, Evaluated)
    assert {name: [row.value for row in rows] for name, rows in found.columns.items()} == {
        "a": [1, 2, 3],
        "bb": [2, 4, 6],
    }
    assert run(["a", "bb"], files(tmp_path, "a", "bb"), "y")[1] == [("y", ())]
    # Other data of the picture is evaluated anew.
    assert run(["a", "bb"], files(tmp_path, "a", "bb"), "y", sha256="2")[1] == [("y", ("a", "bb"))]


def test_unreadable_pictures_are_named_and_too_many_end_it() -> None:
    found, _ = run(["a"], {}, "x", "bad")
    assert isinstance(found, Evaluated)
    assert found.bad == [("bad", "it is damaged")]
    assert [row.picture for row in found.columns["a"]] == ["x"]
    with pytest.raises(DatasetError, match="2 of 3 pictures cannot be read, first bad: it is damaged"):
        run(["a"], {}, "bad", "x", "bad")
