"""`anymask evaluate points`, on a folder of real pictures with a small model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anymask.cli.main import main
from tests.evaluation.annotated_data import write_annotated
from tests.evaluation.small_data import write_small_sets


@pytest.fixture(scope="module")
def labelled(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures each of two sets, small, as a folder."""
    shards = [data_dir / "val-food_plates.tar", data_dir / "val-davis16_val.tar"]
    return write_small_sets(tmp_path_factory.mktemp("labelled"), shards, 2)


def arguments(data: Path, model: Path, *more: str) -> list[str]:
    return ["evaluate", "points", "--data", str(data), "--model", str(model), "--clicks", "1,2", *more]


def test_tables_are_printed_and_a_report_is_written(
    labelled: Path, small_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(labelled, small_model, "--out", str(tmp_path / "out"))) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for expected in (
        "small - felzenszwalb",
        "small - grabcut",
        "davis16_val",
        "food_plates",
        "mean of sets",
        "2 clicks",
    ):
        assert expected in out
    names = {"report.html", "report.csv", "report.json", "report.txt"}
    names |= {"small.jsonl", "grabcut.jsonl", "felzenszwalb.jsonl"}
    assert {file.name for file in (tmp_path / "out").iterdir()} == names
    assert (tmp_path / "out" / "report.txt").read_text() in out
    page = (tmp_path / "out" / "report.html").read_text()
    assert all(part in page for part in (f"<p>{labelled}</p>", "targets.min_area_px", "processor", "torch"))


def test_json_is_one_document_and_writes_no_file(
    labelled: Path,
    small_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments(labelled, small_model, "--baselines", "none", "--max-pictures", "1", "--json")) == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["columns"] == ["small"]
    assert plain["data"] == [str(labelled)]
    assert plain["config"]["clicks"] == [1, 2]
    assert {row["pictures"] for row in plain["scores"] if row["set_name"] != "mean of sets"} == {1}
    assert list(tmp_path.iterdir()) == []


def test_a_second_command_goes_on_from_the_first(
    labelled: Path, small_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = arguments(labelled, small_model, "--baselines", "felzenszwalb", "--out", str(tmp_path))
    assert main(command) == 0
    first = capsys.readouterr().out
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert main(command) == 0
    assert capsys.readouterr().out == first
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_another_seed_into_the_same_folder_is_refused(
    labelled: Path, small_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = arguments(labelled, small_model, "--baselines", "none", "--out", str(tmp_path))
    assert main(command) == 0
    assert main([*command, "--seed", "5"]) == 5
    assert "other settings" in capsys.readouterr().err


def test_a_damaged_picture_is_named_and_the_exit_code_says_so(
    data_dir: Path, small_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_small_sets(tmp_path / "data", [data_dir / "val-davis16_val.tar"], 21)
    fifth = sorted(data.rglob("*.webp"))[4]
    fifth.write_bytes(fifth.read_bytes()[:300])
    assert main(arguments(data, small_model, "--baselines", "none", "--out", str(tmp_path / "o"))) == 1
    out, err = capsys.readouterr()
    assert "1 pictures could not be read" in out
    assert f"davis16_val/{fifth.stem} (" in out
    assert f"davis16_val/{fifth.stem}" in err


@pytest.mark.parametrize(
    ("more", "message", "code"),
    [
        (["--baselines", "watershed"], "known are grabcut", 2),
        (["--clicks", "1,x"], "expected rising whole numbers", 2),
        (["--clicks", "2,3"], "must rise from 1", 2),
        (["--data", "nowhere.tar"], "does not exist", 4),
        (["--suite", "nowhere"], "--suite goes without", 2),
        (["--annotations", "a.json"], "give ground truth", 2),
        (["--adapter", "nowhere.py"], "no Python file nowhere.py", 2),
        (["--max-pictures", "0"], "max-pictures", 2),
    ],
)
def test_what_cannot_be_done_is_said(
    labelled: Path, small_model: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str, code: int
) -> None:
    assert main(arguments(labelled, small_model, "--json", *more)) == code
    assert message in capsys.readouterr().err


def test_two_models_of_one_name_are_refused(
    labelled: Path, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(labelled, small_model, "--model", str(small_model), "--json")) == 2
    assert "its own name" in capsys.readouterr().err


def test_an_annotation_file_random_clicks_and_every_mask(
    tmp_path: Path, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annotations, folder, value = write_annotated(tmp_path, seed=4, pictures=4)
    truth = ["--annotations", str(annotations), "--pictures", str(folder), "--model", str(small_model), "--json"]
    more = ["--clicks", "1", "--targets", "paper", "--first-click", "random", "--baselines", "none"]
    assert main(["evaluate", "points", *truth, *more]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["config"]["first_click"] == "random"
    assert plain["config"]["targets"]["per_picture"] is None
    asked = [one for one in value["annotations"] if not one["iscrowd"] and one["_mask"].any()]
    (row,) = (row for row in plain["scores"] if row["measure"] == "click" and row["set_name"] == "truth")
    assert row["masks"] == len(asked)
    assert plain["seconds_a_picture"]["small"]["own"] > 0


def test_the_suite_is_what_is_there_and_the_rest_is_named(
    tmp_path: Path, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "points", "--suite", str(tmp_path / "suite"), "--model", str(small_model), "--clicks", "1"]
    assert main([*command, "--json"]) == 4
    assert "says how to get one, for example ppdls" in capsys.readouterr().err
    annotations, folder, _ = write_annotated(tmp_path, seed=4)
    (tmp_path / "suite" / "lvis").mkdir(parents=True)
    annotations.rename(tmp_path / "suite" / "lvis" / "annotations.json")
    folder.rename(tmp_path / "suite" / "lvis" / "images")
    assert main([*command, "--baselines", "felzenszwalb", "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "22 datasets of the suite are not there" in out
    assert "lvis is LVIS of the paper's suite, which sampled 945 pictures with 9,642 masks" in out
    page = (tmp_path / "out" / "report.html").read_text()
    assert "small minus felzenszwalb" in page


def test_a_segmenter_of_the_users_own_is_a_column(
    labelled: Path, small_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "whole.py"
    file.write_text(
        "import numpy as np\n\n\nclass Whole:\n"
        "    def set_image(self, pixels):\n        self.shape = pixels.shape[:2]\n"
        "    def predict(self, prompt):\n        return np.ones(self.shape, bool)\n\n\n"
        "def make_segmenter():\n    return Whole()\n"
    )
    more = ["--baselines", "none", "--adapter", f"everything={file}", "--json"]
    assert main(arguments(labelled, small_model, *more)) == 0
    assert json.loads(capsys.readouterr().out)["columns"] == ["small", "everything"]
    assert main(arguments(labelled, small_model, *more, "--workers", "2")) == 2
    assert "--adapter runs in this process" in capsys.readouterr().err
