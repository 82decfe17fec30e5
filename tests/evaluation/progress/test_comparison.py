"""Runs beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from anymask.errors import RunError
from anymask.evaluation.progress.comparison import compare_runs, differences_table, scores_table
from anymask.evaluation.progress.history import History, read_history
from anymask.figures import as_text
from anymask.runs import RunFolder


@dataclass(frozen=True)
class _Part:
    rate: float


@dataclass(frozen=True)
class _Config:
    steps: int
    part: _Part
    names: tuple[str, ...] = ()


def _history(path: Path, config: _Config, losses: list[float]) -> History:
    run = RunFolder.create(path, config)
    for step, loss in enumerate(losses, start=1):
        run.log(step, loss=loss)
    return read_history(run)


def test_only_what_differs_is_named_with_dots(tmp_path: Path) -> None:
    a = _history(tmp_path / "a", _Config(9, _Part(0.1)), [1.0])
    b = _history(tmp_path / "b", _Config(9, _Part(0.2), ("x",)), [1.0])
    found = {one.field: list(one.values.values()) for one in compare_runs([a, b]).differences}
    assert found == {"part.rate": [0.1, 0.2], "names": [[]], "names.0": ["x"]}
    text = as_text(differences_table(compare_runs([a, b])))
    assert [line.split()[0] for line in text.splitlines()] == ["differs", "part.rate", "names", "names.0"]


def test_scores_are_compared_at_the_step_that_all_have_reached_and_at_the_end(tmp_path: Path) -> None:
    a = _history(tmp_path / "a", _Config(9, _Part(0.1)), [4.0, 2.0, 1.0, 1.0])
    b = _history(tmp_path / "b", _Config(9, _Part(0.1)), [5.0, 3.0])
    comparison = compare_runs([a, b])
    (loss,) = comparison.scores
    assert comparison.step == 2
    assert list(loss.same_step.values()) == [3.0, 4.0]
    assert list(loss.end.values()) == [2.0, 4.0]
    assert [row[0] for row in scores_table(comparison).rows] == [
        "at step 2: loss",
        "at the end: step",
        "at the end: loss",
    ]


def test_a_run_without_validation_has_a_dash_beside_one_with_it(short_runs: list[Path]) -> None:
    comparison = compare_runs([read_history(RunFolder(path)) for path in short_runs])
    rows = {str(row[0]): row[1:] for row in scores_table(comparison).rows}
    assert rows["at step 2: validation score"][1] == "-"
    assert float(rows["at step 2: loss"][0]) > 0
    assert {one.field for one in comparison.differences} >= {"seed", "command.validate.0"}


@pytest.mark.parametrize("count", [1, 2])
def test_one_run_alone_or_with_itself_is_refused(tmp_path: Path, count: int) -> None:
    history = _history(tmp_path / "a", _Config(9, _Part(0.1)), [1.0])
    with pytest.raises(RunError, match="name two or more, each once"):
        compare_runs([history] * count)
