import importlib.util
import socket
from pathlib import Path

import pytest

from anymask.cli.serving import check_installed, listen, make_workspace, read_secret
from anymask.errors import MissingDependencyError, ServerConfigError


def test_the_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    first = read_secret(tmp_path)
    assert len(first) >= 32
    assert read_secret(tmp_path) == first
    assert (tmp_path / "secret").stat().st_mode & 0o77 == 0


def test_a_port_that_is_taken_is_named_or_passed_over() -> None:
    with listen("127.0.0.1", 0, or_any=False) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerConfigError, match=f"port {port} cannot"):
            listen("127.0.0.1", port, or_any=False)
        with listen("127.0.0.1", port, or_any=True) as other:
            assert other.getsockname()[1] not in (0, port)
            assert other.family == socket.AF_INET


def test_without_the_extra_the_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "argon2" else real(name))
    with pytest.raises(MissingDependencyError, match=r"argon2; install them with: pip install 'anymask\[serve\]'"):
        check_installed()


def test_a_workspace_is_made(tmp_path: Path) -> None:
    assert make_workspace(tmp_path / "a" / "b").is_dir()
