from __future__ import annotations

import json

import pytest
import typer

from anymask.cli import main as program
from anymask.cli.main import app, main
from anymask.errors import AnymaskError, DatasetError, ImageError, RunError, WeightsError


def _verbs(commands: object = None, before: tuple[str, ...] = ()) -> list[list[str]]:
    found = []
    for name, command in (commands or typer.main.get_command(app).commands).items():
        below = getattr(command, "commands", None)
        found += _verbs(below, (*before, name)) if below else [[*before, name]]
    return found


@pytest.mark.parametrize("verb", _verbs(), ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_of_every_verb_teaches_with_examples(
    verb: list[str], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*verb, option]) == 0
    out, err = capsys.readouterr()
    _, examples = out.split("Examples")
    assert f"anymask {' '.join(verb)} " in examples.split("Arguments")[0].split("Options")[0] + " "
    assert err == ""


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f" {verb[0]} " in out for verb in _verbs())


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("anymask 0.")


def test_no_argument_shows_the_help_and_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert "Usage: anymask" in out + err
    assert "error:" not in out + err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "No such command 'frobnicate'; see anymask --help"),
        (["segment"], "Missing argument 'PICTURE...'; see anymask segment --help"),
        (["models", "--colour"], "No such option: --colour; see anymask models --help"),
        (["segment", "a.jpg", "--preset", "best"], "'best' is not one of"),
        (["segment", "a.jpg", "--points-per-side", "0"], "Invalid value for '--points-per-side'"),
        (["segment", "a.jpg", "--point"], "requires an argument"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_wrong_usage_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [arguments[0], "--json", *arguments[1:]] if as_json else arguments
    assert main(given) == 2
    out, err = capsys.readouterr()
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    if as_json:
        error = json.loads(out)["error"]
        assert error["exit_code"] == 2
        assert f"error: {error['message']}\n" == err
    else:
        assert message in err
        assert out == ""


@pytest.mark.parametrize("kind", [AnymaskError, ImageError, WeightsError, DatasetError, RunError])
def test_error_of_ours_gives_its_own_exit_code(
    kind: type[AnymaskError], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program.models, "describe", _raiser(kind("this, that was expected, do so")))
    assert main(["models"]) == kind.exit_code
    assert capsys.readouterr() == ("", "error: this, that was expected, do so\n")


def test_interruption_gives_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(program.models, "describe", _raiser(KeyboardInterrupt()))
    assert main(["models"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_defect_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program.models, "describe", _raiser(ZeroDivisionError("ours")))
    with pytest.raises(ZeroDivisionError, match="ours"):
        main(["models"])


def _raiser(error: BaseException) -> object:
    def stand_in(*_: object, **__: object) -> None:
        raise error

    return stand_in
