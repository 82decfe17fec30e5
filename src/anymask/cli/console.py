"""What people and machines see: text and JSON on standard output, errors and progress on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Update = Callable[[float, float], None]
"""Called with (done, in all); 0 in all where nobody knows."""


def say(text: str) -> None:
    """One line of text on standard output."""
    sys.stdout.write(f"{printable(text)}\n")
    sys.stdout.flush()


def say_json(value: Any) -> None:
    """`value` as the one JSON document on standard output."""
    json.dump(value, sys.stdout, indent=1, allow_nan=False)
    sys.stdout.write("\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    """One line of text on standard error."""
    sys.stderr.write(f"{printable(text)}\n")


def fail(error: Exception, exit_code: int, *, as_json: bool) -> int:
    """Tell what went wrong in one sentence, and give back the exit code."""
    message = describe(error)
    warn(f"error: {message}")
    if as_json:
        say_json({"error": {"kind": type(error).__name__, "message": message, "exit_code": exit_code}})
    return exit_code


def describe(error: Exception) -> str:
    """The message of an error of ours, or of the argument parser (which keeps it apart from `str`)."""
    formatted = getattr(error, "format_message", None)
    if formatted is None:
        return str(error)
    context = getattr(error, "ctx", None)
    message = str(formatted()).removesuffix(".")
    return message if context is None else f"{message}; see {context.command_path} --help"


def printable(text: str) -> str:
    """`text` with control characters written out: a file name must not be able to steer the terminal."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def is_terminal() -> bool:
    """Whether a person may be looking at standard error."""
    return sys.stderr.isatty()


def _show_nothing(_done: float, _total: float) -> None:
    """A bar that nobody looks at."""


@contextmanager
def progress_bar(title: str, *, unit: str = "") -> Iterator[Update]:
    """A bar on standard error while the block runs; nothing when that is not a terminal.

    `unit` "bytes" shows sizes and speed; anything else is written behind the count, with how many a minute.
    """
    if not is_terminal():
        yield _show_nothing
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.text import Text

    class RateColumn(ProgressColumn):
        """How many a minute, as soon as it is known."""

        def render(self, task: Task) -> Text:
            return Text(f"{60 * task.speed:.3g} a minute" if task.speed else "")

    counted = (MofNCompleteColumn(), TextColumn(unit), RateColumn())
    count = (DownloadColumn(), TransferSpeedColumn()) if unit == "bytes" else counted
    title_column = TextColumn("{task.description}", markup=False)
    columns = (title_column, BarColumn(), *count, TimeRemainingColumn())
    # Lines printed meanwhile go above the bar, but never from standard output into a file of errors.
    shared = sys.stdout.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=shared) as bars:
        task = bars.add_task(printable(title), total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total or None)
