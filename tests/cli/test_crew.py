import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from anymask.cli.crew import Crew, follow_parent


def test_a_worker_that_ends_is_started_again_until_all_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anymask.cli.crew._RESTART_S", 0.01)
    crew = Crew([["--version"]])
    seen: set[int] = set()
    _wait_for(lambda: len(seen) >= 2 or seen.update(child.pid for child in _workers()))
    crew.end()
    assert len(seen) >= 2


def test_a_worker_that_shows_no_sign_of_life_is_ended_and_another_one_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("anymask.cli.crew._SILENT_S", 20.0)
    monkeypatch.setattr("anymask.cli.crew._RESTART_S", 0.01)
    monkeypatch.setenv("ANYMASK_DATABASE", f"sqlite:///{tmp_path / 'a.db'}")
    crew = Crew([["serve", "--worker-only", "--workspace", str(tmp_path)]])
    try:
        # It is at work when its database is there, and has shown signs of life since.
        _wait_for((tmp_path / "a.db").exists)
        (first,) = _workers()
        first.send_signal(signal.SIGSTOP)
        _wait_for(lambda: [each.pid for each in _workers()] not in ([first.pid], []))
    finally:
        crew.end()
    assert not first.is_running()
    assert "no sign of life for 20 s" in capfd.readouterr().err


def test_a_program_that_no_server_started_shows_signs_of_life_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anymask.cli.crew._stop_at_end_of_input", threading.Event.set)
    stop, before = threading.Event(), threading.active_count()
    follow_parent(stop)
    assert stop.wait(20)
    assert threading.active_count() <= before + 1


def test_a_worker_that_ends_while_its_server_lives_ends_in_peace() -> None:
    code = "import threading; from anymask.cli.crew import follow_parent; follow_parent(threading.Event())"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert (process.stderr.read(), process.wait(60)) == (b"", 0)


def _wait_for(claim: Callable[[], object], wait_s: float = 200) -> None:
    until = time.monotonic() + wait_s
    while not claim():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def _workers() -> list[psutil.Process]:
    """Those of a crew: the process of the tests has other children, too."""
    return [child for child in psutil.Process().children() if _command(child)[:3] == [sys.executable, "-m", "anymask"]]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
