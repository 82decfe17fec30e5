from __future__ import annotations

import io
import json
import re
import sys

import pytest

from anymask.cli import console
from anymask.errors import ImageError


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_json_is_the_only_thing_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    console.warn("careful")
    console.say_json({"a": [1, None, "ü"]})
    out, err = capsys.readouterr()
    assert json.loads(out) == {"a": [1, None, "ü"]}
    assert err == "careful\n"


def test_numbers_that_json_does_not_have_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        console.say_json(float("nan"))
    capsys.readouterr()


@pytest.mark.parametrize("as_json", [False, True])
def test_failure_is_one_sentence_and_with_json_an_object_too(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    assert console.fail(ImageError("the file is empty"), 2, as_json=as_json) == 2
    out, err = capsys.readouterr()
    assert err == "error: the file is empty\n"
    expected = {"error": {"kind": "ImageError", "message": "the file is empty", "exit_code": 2}}
    assert (json.loads(out) if as_json else out) == (expected if as_json else "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("über/写真.jpg", "über/写真.jpg"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("two\nlines", r"two\nlines"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("[bold]markup[/bold]", "[bold]markup[/bold]"),
    ],
)
def test_file_names_cannot_steer_the_terminal(text: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    console.say(text)
    console.warn(text)
    assert capsys.readouterr() == (f"{shown}\n", f"{shown}\n")


def test_bar_is_silent_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress_bar("work") as update:
        update(1, 2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("unit", "shown"), [("pictures", "1/4 pictures"), ("bytes", "1/4 bytes")])
def test_bar_on_a_terminal_goes_to_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], unit: str, shown: str
) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with console.progress_bar("[b]work", unit=unit) as update:
        update(1, 4)
        console.say("a result")
    drawn = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", terminal.getvalue())
    assert "[b]work" in drawn
    assert shown in drawn
    assert "a result" not in drawn
    assert capsys.readouterr().out == "a result\n"
