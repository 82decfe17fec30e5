"""`anymask evaluate ambiguity`, on a folder of real pictures with a small model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from anymask.cli.main import main
from tests.evaluation.small_data import write_small_sets


@pytest.fixture(scope="module")
def labelled(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_sets(tmp_path_factory.mktemp("labelled"), [data_dir / "val-food_plates.tar"], 2)


def test_the_table_is_printed_and_a_report_is_written(
    labelled: Path, small_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    said = ["evaluate", "ambiguity", "--data", str(labelled), "--model", str(small_model), "--out", str(out)]
    assert main(said) == 0
    printed, err = capsys.readouterr()
    assert err == ""
    assert "food_plates" in printed
    assert {file.name for file in out.iterdir()} == {
        *("report.txt", "report.json", "report.html"),
        f"{small_model.stem}.jsonl",
    }
    assert (out / "report.txt").read_text() in printed


def test_json_is_one_document_and_a_damaged_picture_is_named(
    labelled: Path, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ["evaluate", "ambiguity", "--data", str(labelled), "--model", str(small_model), "--json"]
    assert main([*said, "--max-pictures", "1"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["model"] == small_model.stem
    assert plain["standings"][0]["pictures"] == 1
    assert plain["bad"] == []
    broken = labelled / "food_plates" / "broken.webp"
    broken.write_bytes(b"RIFF")
    labels = broken.with_name("broken.png")
    shutil.copy(next(broken.parent.glob("*__0.png")), labels)
    try:
        assert main(said) != 0
        assert "broken" in capsys.readouterr().err
    finally:
        broken.unlink()
        labels.unlink()
