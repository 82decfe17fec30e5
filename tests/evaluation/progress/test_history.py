"""What a run has logged, read back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from anymask.errors import RunError
from anymask.evaluation.progress.history import RECENT_STEPS, flat, read_history
from anymask.runs import RunFolder


@dataclass(frozen=True)
class _Phase:
    until: float
    size: int | None


@dataclass(frozen=True)
class _Model:
    input_size: int = 512


@dataclass(frozen=True)
class _Config:
    model: _Model = _Model()
    steps: int = 200
    phases: tuple[_Phase, ...] = (_Phase(0.5, 256), _Phase(1.0, None))


def _run(path: Path, steps: int) -> RunFolder:
    run = RunFolder.create(path, _Config())
    for step in range(1, steps + 1):
        run.log(step, loss=float(step), seconds=2.0, masks=8.0)
    return run


def test_steps_to_come_are_estimated_by_the_area_of_their_phase(tmp_path: Path) -> None:
    assert read_history(_run(tmp_path / "a", 80)).seconds_left == pytest.approx(20 * 2 + 100 * 2 * 4)
    assert read_history(_run(tmp_path / "b", 150)).seconds_left == pytest.approx(50 * 2)
    finished = read_history(_run(tmp_path / "c", 200))
    assert (finished.seconds_left, finished.is_finished) == (0.0, True)


def test_the_shipped_run_has_the_time_and_sessions_that_its_card_says(repository: Path) -> None:
    history = read_history(RunFolder(repository / "docs" / "runs" / "tiny"))
    assert history.sessions == 99_960  # src/anymask/weights/tiny.md
    assert history.seconds / 60 == pytest.approx(81, abs=0.5)


def test_a_value_now_is_the_mean_of_the_recent_steps_and_skipped_ones_do_not_count(tmp_path: Path) -> None:
    run = _run(tmp_path / "a", 100)
    run.log(101, loss=float("nan"), seconds=2.0)
    history = read_history(run)
    assert history.at("loss", 100) == pytest.approx(np.mean(range(101 - RECENT_STEPS, 101)))
    assert history.at("loss", 101) == pytest.approx(np.mean(range(102 - RECENT_STEPS, 101)))
    assert history.at("loss", 2) == 1.5
    assert history.at("loss", 0) is None
    assert history.at("absent", 9) is None


def test_best_scores_are_those_of_the_step_with_the_best_score(tmp_path: Path) -> None:
    run = _run(tmp_path / "a", 9)
    for step, score in ((3, 0.4), (6, 0.7), (9, 0.5)):
        run.log(step, val_score=score, val_click=score / 2)
    history = read_history(run)
    assert history.best == (6, 0.7)
    assert history.scores(6) == {"score": 0.7, "click": 0.35}
    assert history.scores(9) == {"score": 0.5, "click": 0.25}
    assert history.scores(2) == {}


def test_a_run_before_its_first_step_knows_nothing_and_says_so(tmp_path: Path) -> None:
    history = read_history(_run(tmp_path / "a", 0))
    assert (history.step, history.seconds_a_step, history.seconds_left, history.best) == (0, None, None, None)
    assert (history.seconds, history.sessions, history.starts) == (0.0, 0, ())


def test_a_real_run_says_where_it_ran_and_on_what(short_runs: list[Path]) -> None:
    history = read_history(RunFolder(short_runs[0]))
    (start,) = history.starts
    assert (start["step"], start["processes"], start["device"]) == (0, 1, "cpu")
    assert start["sets"] == {"ccp": 3, "mine": 1}
    assert start["validation_sets"] == {"discs": 2}
    assert start["machine"]["cores"] >= 1
    assert history.command["recipe"] == "tiny"
    assert history.best is not None
    assert history.is_finished


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    run = _run(tmp_path / "a", 1)
    (run.path / "command.json").write_text(text)
    with pytest.raises(RunError, match=r"command\.json"):
        read_history(run)


def test_flat_names_lead_back_to_every_leaf() -> None:
    plain = {"a": {"b": [1, {"c": None}], "d": {}}, "e": "x"}
    assert flat(json.loads(json.dumps(plain))) == {"a.b.0": 1, "a.b.1.c": None, "a.d": {}, "e": "x"}
