import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from anymask.data_engine.turns.folder import TurnFolder, TurnFolders
from anymask.errors import RunError


@dataclass(frozen=True)
class Made:
    value: int


def test_a_step_is_done_once(tmp_path: Path) -> None:
    turn = _begun(tmp_path)
    calls: list[int] = []

    def work() -> Made:
        calls.append(1)
        return Made(len(calls))

    assert turn.once("step", Made, work) == turn.once("step", Made, work) == Made(1)
    assert calls == [1]


def test_a_step_that_fails_is_not_done(tmp_path: Path) -> None:
    turn = _begun(tmp_path)

    def fail() -> Made:
        raise ValueError

    with pytest.raises(ValueError):
        turn.once("step", Made, fail)
    assert turn.once("step", Made, lambda: Made(2)) == Made(2)


def test_a_turn_that_was_begun_goes_on_and_the_next_follows_it(tmp_path: Path) -> None:
    folders = TurnFolders(tmp_path)
    first = _begun(tmp_path)
    assert folders.begin().path == first.path
    assert folders.finished() == []
    first.keep("turn", Made(1))
    assert [turn.number for turn in folders.finished()] == [1]
    assert folders.unfinished() is None
    assert folders.begin().number == 2


def test_a_turn_is_set_aside_and_begun_anew(tmp_path: Path) -> None:
    folders = TurnFolders(tmp_path)
    assert folders.set_aside() is None
    _begun(tmp_path).keep("step", Made(1))
    aside = folders.set_aside()
    assert aside is not None
    assert (aside.name, (aside / "step.json").is_file()) == ("0001.aside1", True)
    assert not folders.begin().has("step")
    assert folders.set_aside() == tmp_path / "turns" / "0001.aside2"


def test_a_damaged_step_is_named(tmp_path: Path) -> None:
    turn = _begun(tmp_path)
    (turn.path / "step.json").write_text("{")
    with pytest.raises(RunError, match=r"step.json cannot be read .* remove it"):
        turn.once("step", Made, lambda: Made(1))


def test_the_lock_is_anothers_until_its_process_ends_however_that_is(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from anymask.data_engine.turns.folder import TurnFolders\n"
        "with TurnFolders(Path(sys.argv[1])).locked():\n    print('held', flush=True); time.sleep(100)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunError, match="another process turns the engine"), TurnFolders(tmp_path).locked():
            pass
        holder.kill()
        holder.wait()
        with TurnFolders(tmp_path).locked():
            pass


def _begun(engine: Path) -> TurnFolder:
    folders = TurnFolders(engine)
    folders.root.mkdir(parents=True, exist_ok=True)
    return folders.begin()
