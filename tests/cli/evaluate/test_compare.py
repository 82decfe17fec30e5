"""`anymask evaluate compare`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anymask.cli.main import main
from tests.evaluation.annotated_data import write_annotated, write_results


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    annotations, pictures, value = write_annotated(tmp_path, seed=4, pictures=4)
    results = [f"--results={name}={write_results(tmp_path / f'{name}.json', value, len(name))}" for name in ("a", "bb")]
    truth = ["--annotations", str(annotations), "--pictures", str(pictures)]
    assert main(["evaluate", "proposals", *truth, *results, "--out", str(tmp_path / "out")]) == 0
    return tmp_path / "out"


def test_a_table_and_a_page(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    arguments = [str(folder), str(folder), "--column-b", "bb", "--resamples", "50", "--out", str(tmp_path / "page")]
    assert main(["evaluate", "compare", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"proposals: {folder} a minus {folder} bb")
    assert "AR@1000 small" in out
    assert (tmp_path / "page" / "compare.html").read_text().startswith("<!doctype html>")


def test_json_has_null_where_there_is_no_difference(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["evaluate", "compare", str(folder), str(folder), "--resamples", "20", "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["protocol"] == "proposals"
    assert all(one["value"]["mean"] in (0.0, None) for one in plain["deltas"])


def test_a_folder_that_is_none_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "compare", str(tmp_path), str(tmp_path)]) == 5
    assert "is no report" in capsys.readouterr().err
