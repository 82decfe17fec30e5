from __future__ import annotations

import json
from pathlib import Path

import pytest

from anymask.cli.main import main
from anymask.dataset.write import write_dataset
from tests.dataset.drawn_pictures import drawn_picture

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "drawn", [drawn_picture(1), drawn_picture(2)])
    return tmp_path / "drawn"


def test_a_release_says_what_was_blurred_and_that_plates_were_not(
    dataset: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert main(["dataset", "release", str(dataset), str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "2 pictures, 8 masks; blurred finds: 0" in said
    assert "licence plates were not looked for" in said
    assert "faces (CenterFace" in said


def test_smaller_without_a_detector_as_json(dataset: Path, tmp_path: Path, capsys: Capture) -> None:
    arguments = ["--blur", "nothing", "--shortest-side", "10", "--json"]
    assert main(["dataset", "release", str(dataset), str(tmp_path / "out"), *arguments]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["made_smaller"] == 2
    assert value["blurred"] is None


@pytest.mark.parametrize("blur", [["plates"], ["faces", "plates"], ["nothing", "faces"]])
def test_what_cannot_be_blurred_is_refused_before_anything_is_written(
    dataset: Path, tmp_path: Path, capsys: Capture, blur: list[str]
) -> None:
    options = [text for one in blur for text in ("--blur", one)]
    assert main(["dataset", "release", str(dataset), str(tmp_path / "out"), *options]) == 2
    assert not (tmp_path / "out").exists()
    assert "error:" in capsys.readouterr().err


def test_the_wrong_detector_releases_nothing(dataset: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "centerface.onnx").write_bytes(b"something else")
    arguments = ["--face-weights", str(tmp_path / "centerface.onnx")]
    assert main(["dataset", "release", str(dataset), str(tmp_path / "out"), *arguments]) == 3
    assert "has sha256" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
