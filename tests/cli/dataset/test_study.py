from __future__ import annotations

import json
from pathlib import Path

import pytest

from anymask.cli.main import main
from anymask.dataset.convert import write_coco
from anymask.dataset.write import write_dataset
from tests.dataset.drawn_pictures import drawn_picture

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "drawn", (drawn_picture(n) for n in range(1, 5)))
    return tmp_path / "drawn"


def test_statistics_of_several_datasets_and_groups(dataset: Path, tmp_path: Path, capsys: Capture) -> None:
    write_coco(tmp_path / "coco", [drawn_picture(7)], {})
    (tmp_path / "m.csv").write_text("picture,country\nsa_1,Chile\nsa_2,Chile\nphoto 3,Ghana\n")
    arguments = [f"ours={dataset}", str(tmp_path / "coco" / "coco.json"), "--out", str(tmp_path / "study")]
    arguments += ["--metadata", str(tmp_path / "m.csv"), "--by", "country", "--json"]
    assert main(["dataset", "study", "statistics", *arguments]) == 0
    value = json.loads(capsys.readouterr().out)
    assert list(value["datasets"]) == ["ours", "coco.json"]
    groups = value["datasets"]["ours"]["groups"]
    assert {name: group["pictures"] for name, group in groups.items()} == {"Chile": 2, "Ghana": 1, "(none)": 1}
    assert value["datasets"]["coco.json"]["masks"] == 4
    assert "Chile" in Path(value["files"]["html"]).read_text()
    assert json.loads(Path(value["files"]["json"]).read_text())["by"] == "country"


def test_a_column_without_a_file_is_wrong_usage(dataset: Path, capsys: Capture) -> None:
    assert main(["dataset", "study", "statistics", str(dataset), "--by", "country"]) == 2
    assert "go together" in capsys.readouterr().err


def test_quality_against_any_corrected_set(dataset: Path, tmp_path: Path, capsys: Capture) -> None:
    corrected = [drawn_picture(1), drawn_picture(2).take([0, 1, 2])]
    write_coco(tmp_path / "coco", corrected, {})
    arguments = [str(dataset), str(tmp_path / "coco" / "coco.json"), "--out", str(tmp_path / "quality")]
    assert main(["dataset", "study", "quality", *arguments]) == 0
    said = capsys.readouterr().out
    assert "7 pairs on 2 pictures: above .9 1.000" in said
    assert "1 removed, 0 added" in said
    found = json.loads((tmp_path / "quality" / "report.json").read_bytes())
    assert found["every_pair"]["mean IoU"]["mean"] == 1


def test_a_folder_that_cannot_be_written_is_one_sentence(dataset: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").write_text("")
    assert main(["dataset", "study", "statistics", str(dataset), "--out", str(tmp_path / "file")]) == 2
    assert "name another folder" in capsys.readouterr().err
