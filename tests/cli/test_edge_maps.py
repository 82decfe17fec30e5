"""`anymask segment --task edges`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anymask.cli.edge_maps import edges_config
from anymask.cli.main import main
from anymask.dataset.formats.edge_png import decode_edges
from anymask.model.weights import load
from anymask.predict.predictor import Predictor
from anymask.predict.tasks.edges import EdgesConfig, find_edges

Run = Any


@pytest.fixture
def run(small_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `anymask segment --task edges` in an empty folder: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def segment(*arguments: object) -> tuple[int, str, str]:
        code = main(["segment", *map(str, arguments), "--task", "edges", "--model", str(small_model)])
        return (code, *capsys.readouterr())

    return segment


def test_the_file_holds_the_librarys_edges(run: Run, photo_path: Path, small_model: Path, tmp_path: Path) -> None:
    code, out, err = run(photo_path, "--points-per-side", "3", "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    assert out == f"{photo_path}: edges -> {tmp_path / 'out' / 'coffee_edges.png'}\n"
    written = decode_edges((tmp_path / "out" / "coffee_edges.png").read_bytes(), "it")
    expected = find_edges(Predictor(load(small_model)), photo_path, EdgesConfig(points_per_side=3))
    assert np.abs(written - expected).max() <= 0.5 / 255 + 1e-6
    assert [item.name for item in (tmp_path / "out").iterdir()] == ["coffee_edges.png"]


def test_json_names_the_file_and_a_damaged_picture_is_told(run: Run, photo_path: Path, tmp_path: Path) -> None:
    shutil.copy(photo_path, tmp_path / "cup.jpg")
    (tmp_path / "cut.jpg").write_bytes(photo_path.read_bytes()[:2000])
    code, out, err = run(tmp_path / "cup.jpg", tmp_path / "cut.jpg", "--points-per-side", "2", "--json")
    said = json.loads(out)
    assert code == 1
    assert "cut.jpg" in err
    (picture,) = said["pictures"]
    assert picture["size_hw"] == [400, 600]
    assert picture["files"] == {"edges": str(Path("anymask_out") / "cup_edges.png")}
    assert (tmp_path / picture["files"]["edges"]).is_file()
    assert said["failed"][0]["error"]["kind"] == "ImageError"


def test_a_single_damaged_picture_ends_with_its_reason(run: Run, photo_path: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.jpg").write_bytes(photo_path.read_bytes()[:2000])
    code, _, err = run(tmp_path / "cut.jpg")
    assert code != 0
    assert "cut.jpg" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--point", "3,4"), "--task edges asks its own clicks; leave out --point"),
        (("--format", "png"), "writes an edge map and no masks; leave out --format"),
        (("--everything",), "--task edges goes without --everything"),
    ],
)
def test_what_does_not_belong_to_edges_is_refused(
    run: Run, photo_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    code, _, err = run(photo_path, *arguments)
    assert code == 2
    assert message in err


def test_the_papers_grid_is_asked_unless_another_is_given() -> None:
    assert edges_config(None) == EdgesConfig()
    assert edges_config(7).points_per_side == 7
