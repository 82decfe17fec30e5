import json
from pathlib import Path

import pytest

from anymask.cli import serve
from anymask.cli.main import main


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (serve.SECRET, serve.PASSWORD, serve.DATABASE):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.7.7"])
def test_it_refuses_to_listen_elsewhere_until_it_is_safe_and_says_how(
    host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["serve", "--workspace", str(tmp_path), "--host", host, "--port", "0"]
    assert main(arguments) == 2
    assert "set ANYMASK_SECRET to 32" in capsys.readouterr().err
    monkeypatch.setenv(serve.SECRET, "s" * 40)
    assert main(arguments) == 2
    assert "--public-host" in capsys.readouterr().err
    arguments += ["--public-host", "masks.example.org"]
    assert main(arguments) == 2
    assert "set ANYMASK_ADMIN_PASSWORD" in capsys.readouterr().err
    monkeypatch.setenv(serve.PASSWORD, "short")
    assert main(arguments) == 2
    assert "at least 10" in capsys.readouterr().err
    monkeypatch.setenv(serve.SECRET, "short")
    assert main(arguments) == 2
    assert "at least 32" in capsys.readouterr().err


def test_on_this_machine_too_a_team_needs_a_password(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--workspace", str(tmp_path)]) == 2
    assert "nobody could sign in yet" in capsys.readouterr().err


def test_the_description_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--openapi"]) == 0
    assert json.loads(capsys.readouterr().out)["info"]["title"] == "anymask"


def test_a_database_that_cannot_be_is_an_error_of_the_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--workspace", str(tmp_path), "--database", "mysql://x/y"]) == 8
    assert "postgresql://" in capsys.readouterr().err
