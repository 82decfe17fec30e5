"""Where a run is, in words and in JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from anymask.evaluation.progress.history import read_history
from anymask.evaluation.progress.standing import standing_table, start_in_words, to_plain_standing
from anymask.figures import as_text
from anymask.runs import RunFolder


@dataclass(frozen=True)
class _Config:
    steps: int = 400


def test_an_unfinished_run_says_how_long_it_will_take(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", _Config())
    for step in range(1, 101):
        run.log(step, loss=0.5, seconds=6.0)
    text = as_text(standing_table(read_history(run), {"non_finite_steps": 2}))
    assert "step 100 of 400, 6.00 s a step, about 30 min left, 10 min of steps so far" in text
    assert "loss 0.500 (means of the last 50 steps)" in text
    assert "2 non finite steps" in text
    assert "begun" not in text


def test_a_finished_run_says_what_it_was_begun_with_and_its_best_score(short_runs: list[Path]) -> None:
    told = dict(standing_table(read_history(RunFolder(short_runs[0])), None).rows)
    assert "step 2 of 2" in str(told["at"])
    assert "finished" in str(told["at"])
    assert str(told["begun"]).startswith("recipe tiny; start ")
    assert "1 process of" in str(told["on"])
    assert str(told["best"]).endswith("at step 2")
    assert told["left out"] == "not known before the first checkpoint"


def test_many_shards_are_told_by_the_first(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", _Config())
    (run.path / "command.json").write_text('{"recipe": "tiny", "data": ["a.tar", "b.tar", "c.tar"], "validate": []}')
    assert "begun  recipe tiny; data a.tar and 2 more" in as_text(standing_table(read_history(run), None)).replace(
        "begun     ", "begun  "
    )


def test_json_is_without_nan_before_the_first_step_and_after_a_skipped_one(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", _Config())
    json.dumps(to_plain_standing(read_history(run)), allow_nan=False)
    run.log(1, loss=float("nan"), seconds=1.0)
    plain = to_plain_standing(read_history(run))
    assert json.loads(json.dumps(plain, allow_nan=False))["recent"] == {"loss": None}


def test_a_start_on_a_gpu_or_of_a_gone_on_run_is_told_as_such() -> None:
    start = {
        "step": 7,
        "at": "now",
        "processes": 2,
        "threads": 1,
        "gpu": "H200",
        "machine": {"processor": "X", "cores": 4},
    }
    assert start_in_words(start) == "now: gone on after step 7, 2 processes of 1 thread, H200 beside X (4 cores)"
    assert start_in_words({}) == "at an unknown time: begun, an unknown processor (0 cores)"
