from pathlib import Path

import pytest

from anymask.cli.engine.turning import say_turn
from anymask.cli.main import main
from anymask.data_engine.turns.alone import Generated
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


def test_a_turn_is_told_in_a_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    alone = Generated(pictures=4, masks=100, masks_a_picture=25.0)
    say_turn(make_report(2, generated=alone, next_stage="automatic"))
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == "turn 2 (assisted): learned from 90 masks on 9 pictures, 100 masks made alone on 4"
    assert second.startswith("  promoted: click 0.350 -> 0.450")
    assert third == "  next stage: automatic"


def test_a_turn_without_a_model_says_what_to_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engine", "turn", str(folder)]) == 8
    assert "give one to `anymask engine init --model`" in capsys.readouterr().err
    # The turn was begun, and can be given up.
    assert main(["engine", "turn", str(folder), "--abandon"]) == 8
    assert "set aside:" in capsys.readouterr().err
    assert TurnFolders(folder).unfinished() is not None


def test_as_many_turns_as_are_there_are_not_taken_again(folder: Path) -> None:
    folders = TurnFolders(folder)
    folders.root.mkdir(exist_ok=True)
    folders.begin().keep("turn", make_report())
    assert main(["engine", "run", str(folder), "--turns", "1"]) == 0


def test_habits_that_are_no_json_are_named(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "h.json").write_text("{")
    truth = tmp_path / "truth.tar"
    truth.write_bytes(b"")
    words = ["engine", "run", str(folder), "--simulate", str(truth), "--habits", str(tmp_path / "h.json")]
    assert main(words) == 2
    assert "cannot be read as JSON" in capsys.readouterr().err
