"""What a person sees of a turn while it goes on: the step, a bar or now and then a line, and the time left."""

from __future__ import annotations

import time
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

from anymask.cli import console

if TYPE_CHECKING:
    from anymask.cli.running import Stop
    from anymask.data_engine.loop import TurnHooks

_SAY_EVERY_S = 30.0


class Teller:
    """Tells of one step after the other."""

    def __init__(self) -> None:
        self._bar = ExitStack()
        self._update: console.Update = _nothing
        self._title = ""
        self._started = self._said = 0.0
        self._first: int | None = None

    def __enter__(self) -> Teller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(kind, error, trace)

    def begins(self, title: str) -> None:
        """The bar before ends, this one begins."""
        self._bar.close()
        self._bar = ExitStack()
        self._title, self._first = title, None
        self._started = self._said = time.monotonic()
        if console.is_terminal():
            self._update = self._bar.enter_context(console.progress_bar(title))
        else:
            console.warn(title)

    def progress(self, done: int, total: int) -> None:
        """So much of the step is done."""
        self._update(done, total)
        now = time.monotonic()
        if self._first is None:
            self._first = done
        if not console.is_terminal() and now - self._said >= _SAY_EVERY_S:
            self._said = now
            left = time_left(done - self._first, total - done, now - self._started)
            console.warn(f"{self._title}: {done} of {total}{left}")

    def hooks(self, stop: Stop) -> TurnHooks:
        """The same for a turn."""
        from anymask.data_engine.loop import TurnHooks

        return TurnHooks(begins=self.begins, progress=self.progress, should_stop=lambda: bool(stop.signal))


def time_left(done: int, left: int, seconds: float) -> str:
    """In words; empty while it is not known.

    >>> time_left(10, 20, 60.0), time_left(0, 20, 60.0)
    (', 2 min left', '')
    """
    if done <= 0:
        return ""
    wait_s = left * seconds / done
    return f", {wait_s / 60:.0f} min left" if wait_s >= 60 else f", {wait_s:.0f} s left"


def _nothing(_done: float, _total: float) -> None:
    """A bar that nobody looks at."""
