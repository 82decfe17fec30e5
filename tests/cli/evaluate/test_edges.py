"""`anymask evaluate edges`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from anymask.cli.main import main
from anymask.dataset.formats.png import encode_labels
from tests.evaluation.line_data import stripes, write_archive, write_maps

Run = Any


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `anymask evaluate edges` in an empty folder: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def evaluate(*arguments: object) -> tuple[int, str, str]:
        code = main(["evaluate", "edges", *map(str, arguments)])
        return (code, *capsys.readouterr())

    return evaluate


def test_maps_of_others_are_scored_without_a_model(run: Run, tmp_path: Path) -> None:
    write_archive(tmp_path / "BSR", 3)
    write_maps(tmp_path / "mine", 3)
    code, out, err = run(
        "--data", "BSR", "--maps", "mine", "--baselines", "sobel", "--levels", 9, "--tolerance", 0.0139
    )
    assert (code, err) == (0, "")
    assert "mine" in out
    assert "tiny" not in out
    report = json.loads((tmp_path / "anymask_edges" / "report.json").read_text())
    assert report["columns"] == ["mine", "sobel", "annotators"]
    ods = {one["column"]: one["value"] for one in report["scores"] if one["measure"] == "ODS"}
    assert ods["mine"] == ods["annotators"] == 1
    assert (tmp_path / "anymask_edges" / "report.html").is_file()


def test_json_of_a_model_headed_by_what_is_known_of_it(run: Run, tmp_path: Path, small_model: Path) -> None:
    write_archive(tmp_path / "BSR", 1, split="val")
    code, out, _ = run(
        *("--data", "BSR", "--split", "val", "--model", small_model, "--baselines", "none"),
        *("--levels", 2, "--no-annotators", "--json"),
    )
    said = json.loads(out)
    assert code == 0
    assert said["columns"] == ["small (training pictures unknown)"]
    assert not (tmp_path / "anymask_edges").exists()


def test_segmentations_are_scored_by_their_borders(run: Run, tmp_path: Path) -> None:
    write_archive(tmp_path / "BSR", 1)
    (tmp_path / "regions").mkdir()
    (tmp_path / "regions" / "1.png").write_bytes(encode_labels(stripes(1)))
    code, out, _ = run(
        *("--data", "BSR", "--segmentations", "regions", "--baselines", "none", "--tolerance", 0.0139, "--json")
    )
    scores = {(one["column"], one["measure"]): one["value"] for one in json.loads(out)["scores"]}
    assert code == 0
    assert scores["regions", "ODS"] == 1


def test_raw_maps_are_suppressed_when_asked(run: Run, tmp_path: Path) -> None:
    write_archive(tmp_path / "BSR", 1)
    write_maps(tmp_path / "mine", 1)
    shared = ("--data", "BSR", "--maps", "mine", "--baselines", "none", "--no-annotators", "--json")
    (_, as_they_are, _), (_, suppressed, _) = run(*shared), run(*shared, "--nms")
    curves = [json.loads(out)["facts"]["curves"]["mine"] for out in (as_they_are, suppressed)]
    assert curves[0] != curves[1]


def test_a_damaged_picture_ends_with_exit_code_1(run: Run, tmp_path: Path) -> None:
    root = write_archive(tmp_path / "BSR", 21)
    (root / "groundTruth" / "test" / "4.mat").write_bytes(b"damaged")
    write_maps(tmp_path / "mine", 21)
    code, _, err = run("--data", "BSR", "--maps", "mine", "--baselines", "none", "--levels", 2, "--json")
    assert code == 1
    assert "bsds500_test/4" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--nms", "--baselines", "none"), "--nms is about the edge maps of --maps"),
        (("--maps", "nowhere"), "nowhere is not a folder"),
        (("--baselines", "prewitt"), "unknown edge baseline 'prewitt'"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_model_is_loaded(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    write_archive(tmp_path / "BSR", 1)
    code, _, err = run("--data", "BSR", "--model", "nowhere.safetensors", *arguments)
    assert code == 2
    assert message in err


def test_baselines_alone_need_no_model(run: Run, tmp_path: Path) -> None:
    write_archive(tmp_path / "BSR", 1)
    code, out, _ = run("--data", "BSR", "--model", "none", "--baselines", "sobel", "--levels", 3, "--json")
    assert (code, json.loads(out)["columns"]) == (0, ["sobel", "annotators"])
