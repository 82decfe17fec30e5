"""`anymask evaluate instances`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anymask.cli.main import main
from tests.evaluation.annotated_data import write_annotated, write_results


@pytest.fixture
def given(tmp_path: Path) -> tuple[list[str], Path]:
    annotations, folder, value = write_annotated(tmp_path, lvis=True, seed=3, pictures=4)
    truth = ["--annotations", str(annotations), "--pictures", str(folder), "--resamples", "20"]
    return ["evaluate", "instances", *truth], write_results(tmp_path / "r.json", value)


def test_a_detectors_boxes_become_masks_and_stand_beside_its_own(
    given: tuple[list[str], Path], small_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, results = given
    more = ["--model", str(small_model), "--boxes", str(results), "--results", f"detector={results}"]
    assert main([*command, *more, "--out", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for expected in ("AP small", "AP rare", "mean IoU", "ViTDet-H (paper)", "0.447"):
        assert expected in out
    plain = json.loads((tmp_path / "out" / "report.json").read_text())
    assert plain["columns"] == ["small", "detector"]
    assert set(plain["facts"]["frequencies"].values()) == {"r", "c", "f"}


def test_ground_truth_boxes_have_no_published_numbers_beside(
    given: tuple[list[str], Path], small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, _ = given
    assert main([*command, "--model", str(small_model), "--no-refine", "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["published"] == []
    assert plain["config"]["pipeline"]["refine"] is False
    assert {row["measure"] for row in plain["scores"]} >= {"AP", "mean IoU"}
