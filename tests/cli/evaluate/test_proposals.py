"""`anymask evaluate proposals`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anymask.cli.main import main
from tests.evaluation.annotated_data import write_annotated, write_results


@pytest.fixture
def command(tmp_path: Path, small_model: Path) -> list[str]:
    annotations, folder, value = write_annotated(tmp_path, lvis=True, seed=3, pictures=4)
    results = write_results(tmp_path / "r.json", value)
    truth = ["--annotations", str(annotations), "--pictures", str(folder)]
    columns = ["--model", str(small_model), "--results", f"detector={results}", "--points-per-side", "3"]
    return ["evaluate", "proposals", *truth, *columns]


def test_a_table_with_the_papers_numbers_and_a_report(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for expected in ("AR@10 ", "AR@1000 rare", "SAM ViT-H (paper)", "0.658", "small", "detector"):
        assert expected in out
    names = {f"report.{kind}" for kind in ("html", "json", "csv", "txt")} | {"small.jsonl", "detector.jsonl"}
    assert {file.name for file in (tmp_path / "out").iterdir()} == names
    before = (tmp_path / "out" / "small.jsonl").read_bytes()
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "small.jsonl").read_bytes() == before


def test_json_is_one_document_and_writes_no_file(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert main([*command, "--max-pictures", "2", "--preset", "single_output", "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["protocol"] == "proposals"
    assert plain["config"]["pipeline"]["rank"] == "random"
    assert plain["config"]["pipeline"]["points_per_side"] == 3
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_picture_that_is_not_there_is_named_and_the_exit_code_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annotations, folder, value = write_annotated(tmp_path, seed=3, pictures=21)
    results = write_results(tmp_path / "r.json", value)
    (folder / "4.jpg").unlink()
    truth = ["--annotations", str(annotations), "--pictures", str(folder)]
    code = main(["evaluate", "proposals", *truth, "--results", str(results), "--out", str(tmp_path / "out")])
    out, err = capsys.readouterr()
    assert code == 1
    assert "truth/4 (the picture '4.jpg' of image 14 is not in" in out
    assert "truth/4" in err


def test_without_ground_truth_what_is_missing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "proposals"]) == 2
    assert "--annotations FILE with --pictures DIR" in capsys.readouterr().err
