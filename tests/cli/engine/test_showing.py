import json
from pathlib import Path

import pytest

from anymask.cli.main import main
from anymask.data_engine.turns.config import EngineConfig, write_config
from anymask.data_engine.turns.folder import TurnFolders
from tests.cli.engine.small_engine import make_place
from tests.data_engine.turn_report import make_report


@pytest.fixture
def folder(tmp_path: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("ANYMASK_DATABASE", raising=False)
    world = make_place(tmp_path / "work", migrated_sqlite)
    url, store = world.database.url, str(tmp_path / "work" / "store")
    write_config(tmp_path / "e", EngineConfig(database=url, store=store, project="cups"))
    world.database.close()
    return tmp_path / "e"


def test_turns_are_shown_as_text_as_json_and_as_a_page(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["engine", "status", str(folder)]) == 0
    assert "no turn has ended yet" in capsys.readouterr().out
    folders = TurnFolders(folder)
    folders.root.mkdir(exist_ok=True)
    folders.begin().keep("turn", make_report())
    assert main(["engine", "status", str(folder), "--html", str(tmp_path / "p.html")]) == 0
    shown = capsys.readouterr().out
    assert "turn 1: promoted: click 0.350 -> 0.450" in shown
    assert "<table>" in (tmp_path / "p.html").read_text()
    assert main(["engine", "status", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["turns"][0]["promoted"] is True


def test_a_page_that_cannot_be_written_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engine", "status", str(folder), "--html", str(folder / "no" / "p.html")]) == 5
    assert "cannot be written" in capsys.readouterr().err
