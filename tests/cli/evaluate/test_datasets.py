"""`anymask evaluate datasets`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anymask.cli.main import main


def test_the_list_says_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ovis" / "images").mkdir(parents=True)
    assert main(["evaluate", "datasets", "--suite", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 23 + 1
    assert next(line for line in lines if line.startswith("ovis")).split()[1] == "yes"
    assert lines[-1].startswith("1 of 23 are below")


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
