"""Pages of one run and of several."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anymask.evaluation.progress.history import read_history
from anymask.evaluation.progress.pages import (
    SHEETS_SHOWN,
    comparison_page,
    latest_sheets,
    learning_curves,
    overlaid_curves,
    run_page,
)
from anymask.runs import RunFolder


@dataclass(frozen=True)
class _Config:
    steps: int = 9


def test_the_page_of_a_run_holds_curves_sheets_scores_and_configuration_and_asks_for_nothing(
    short_runs: list[Path],
) -> None:
    page = run_page(read_history(RunFolder(short_runs[0])), {"non_finite_steps": 0})
    assert page.count("data:image/png") == 1
    assert page.count("data:image/jpeg") == 1
    for word in (
        "step 2 of 2",
        "Last scores on each validation set",
        "discs",
        "optimizer.warmup_steps",
        "exclude_sets",
    ):
        assert word in page
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page


def test_the_page_of_a_run_without_a_step_is_still_a_page(tmp_path: Path) -> None:
    page = run_page(read_history(RunFolder.create(tmp_path / "<b>", _Config())), None)
    assert "step 0 of 9" in page
    assert "<img" not in page
    assert "<b>" not in page


def test_the_page_of_two_runs_holds_what_differs_and_one_picture(short_runs: list[Path]) -> None:
    page = comparison_page([read_history(RunFolder(path)) for path in short_runs])
    assert page.count("data:image/png") == 1
    assert "<td>seed</td>" in page
    assert "at step 2: loss" in page


def test_runs_of_one_configuration_are_said_to_be_the_same(tmp_path: Path) -> None:
    histories = [read_history(RunFolder.create(tmp_path / name, _Config())) for name in "ab"]
    assert "Nothing: the configurations are the same." in comparison_page(histories)
    assert learning_curves(histories[0]) is None
    assert overlaid_curves(histories) is None


def test_every_run_has_its_line(tmp_path: Path) -> None:
    histories = []
    for name, level in (("a", 1.0), ("b", 5.0)):
        run = RunFolder.create(tmp_path / name, _Config())
        for step in range(1, 9):
            run.log(step, loss=level)
        histories.append(read_history(run))
    alone, both = overlaid_curves(histories[:1]), overlaid_curves(histories)
    assert alone is not None
    assert both is not None
    assert alone.shape == both.shape
    assert (alone != both).any()
    np.testing.assert_array_equal(both, overlaid_curves(histories))


def test_the_latest_sheets_come_first_and_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "sheets").mkdir()
    for name in (
        "step_000900.jpg",
        "step_001000.jpg",
        "step_2.jpg",
        ".step_5.jpg.1.tmp",
        "notes.txt",
        "step_7.jpg",
        "step_9.jpg",
    ):
        (tmp_path / "sheets" / name).touch()
    assert [step for step, _ in latest_sheets(tmp_path)] == [1000, 900, 9, 7]
    assert SHEETS_SHOWN == 4
