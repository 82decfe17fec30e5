"""`anymask evaluate datasets`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anymask.cli.main import main
from anymask.evaluation.datasets import EXPERIMENT_DATA, ExperimentData


def test_the_list_says_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ovis" / "images").mkdir(parents=True)
    assert main(["evaluate", "datasets", "--suite", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 23 + 2
    assert next(line for line in lines if line.startswith("ovis")).split()[1] == "yes"
    assert lines[-2].startswith("1 of 23 are below")
    assert lines[-1].endswith("bsds500, lvis_v1, coco: name one for its page")


def test_a_name_gives_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "datasets", "cityscapes", "LVIS", "--suite", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "https://www.cityscapes-dataset.com" in out
    assert f"pictures into {tmp_path / 'lvis' / 'images'}" in out
    assert main(["evaluate", "datasets", "nowhere"]) == 2
    assert "known are" in capsys.readouterr().err


def test_json_holds_the_whole_registry(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "datasets", "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert len(plain) == 23
    assert plain[0]["is_there"] is False


@pytest.mark.parametrize("one", EXPERIMENT_DATA, ids=lambda one: one.key)
def test_the_page_of_another_experiments_data_names_commands_that_exist(
    one: ExperimentData, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "datasets", one.key]) == 0
    shown = capsys.readouterr().out
    for command in one.commands:
        assert command in shown
        program, *verbs = command.split()[:3]
        assert program == "anymask"
        assert main([*verbs, "--help"]) == 0
        explained = capsys.readouterr().out
        assert all(part in explained for part in command.split() if part.startswith("--"))
    assert main(["evaluate", "datasets", one.key, "--json"]) == 0
    (plain,) = json.loads(capsys.readouterr().out)
    assert plain["key"] == one.key


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["points", "--data", "suite/Cityscapes"], "https://www.cityscapes-dataset.com"),
        (["edges", "--data", "BSR"], "BSR_bsds500.tgz"),
        (["proposals", "--annotations", "lvis_v1_val.json", "--pictures", "coco"], "https://www.lvisdataset.org"),
        (["instances", "--annotations", "instances_val2017.json", "--pictures", "x"], "https://cocodataset.org"),
        (["text", "--annotations", "instances_val2017.json", "--pictures", "x"], "https://cocodataset.org"),
        (["rating", "make", "suite/lvis"], "https://www.lvisdataset.org"),
    ],
)
def test_a_dataset_that_is_not_there_gives_its_page(
    given: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", *given]) == 4
    said = capsys.readouterr().err
    assert "is not there" in said
    assert told in said
    assert "anymask evaluate" in said
