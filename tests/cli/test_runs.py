from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from anymask.cli.main import main
from anymask.runs import RunFolder


@dataclass(frozen=True)
class _Config:
    steps: int


def _run(path: Path, losses: list[float], scores: dict[int, float]) -> Path:
    run = RunFolder.create(path, _Config(steps=9))
    for step, loss in enumerate(losses, start=1):
        run.log(step, loss=loss, point_iou=0.25 * step)
        if step in scores:
            run.log(step, val_score=scores[step])
    return path


def test_runs_of_a_folder_are_told_in_order_with_their_latest_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(tmp_path / "b", [0.9, 0.5], {})
    _run(tmp_path / "a", [0.7, 0.6, 0.4], {1: 0.8, 3: 0.3})
    (tmp_path / "notes").mkdir()
    assert main(["runs", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path}/a: step 3 of 9, loss 0.400, click IoU 0.750, best score 0.800",
        f"{tmp_path}/b: step 2 of 9, loss 0.500, click IoU 0.500",
    ]


def test_json_holds_configuration_and_values_and_no_nan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = _run(tmp_path / "a", [0.7, float("nan")], {2: 0.5})
    assert main(["runs", str(run), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["runs"]
    assert row["path"] == str(run)
    assert (row["step"], row["steps"], row["best_score"]) == (2, 9, 0.5)
    assert row["latest"] == {"point_iou": 0.5, "val_score": 0.5}
    assert row["config"] == {"steps": 9}


def test_run_without_a_step_yet_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _run(tmp_path / "a", [], {})
    assert main(["runs", str(tmp_path / "a")]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/a: step 0 of 9\n"


@pytest.mark.parametrize("arguments", [[], ["absent"], ["a", "absent"]])
def test_folder_without_a_run_is_refused(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    _run(Path("a"), [0.5], {})
    assert main(["runs", *arguments]) == 5
    assert "there is no run in" in capsys.readouterr().err
