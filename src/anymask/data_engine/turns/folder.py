"""Turns on disk: a folder each, a file for each step that is done, and one lock for all.

A step is done when its file is there, and the file is written last and whole; so a turn that was killed goes on with
the first step that has none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import filelock

from anymask.errors import RunError
from anymask.runs import from_plain, to_plain, write_atomically

T = TypeVar("T")
END = "turn"
"""The last step: its file tells how the turn went."""
_ASIDE = ".aside"


class StoppedError(Exception):
    """The work was told to stop before it was done; it goes on another time."""


class TurnFolder:
    """One turn."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def number(self) -> int:
        """1 for the first."""
        return int(self.path.name)

    @property
    def is_finished(self) -> bool:
        """Whether its last step is done."""
        return self.has(END)

    def has(self, step: str) -> bool:
        """Whether the step is done."""
        return (self.path / f"{step}.json").is_file()

    def once(self, step: str, kind: type[T], work: Callable[[], T]) -> T:
        """What the step made, a dataclass: read when it was done before, else made now and written."""
        if not self.has(step):
            self.keep(step, work())
        return self.read(step, kind)

    def keep(self, step: str, made: Any) -> None:
        """Write what a step made: it is done.

        Raises: RunError when it cannot be written.
        """
        try:
            write_atomically(self.path / f"{step}.json", json.dumps(to_plain(made), indent=1).encode())
        except OSError as error:
            raise RunError(
                f"{self.path / step}.json cannot be written ({error.strerror}); make room, and give the command again"
            ) from error

    def read(self, step: str, kind: type[T]) -> T:
        """What a step that is done made.

        Raises: RunError for a damaged file.
        """
        path = self.path / f"{step}.json"
        try:
            return from_plain(kind, json.loads(path.read_bytes()))
        except (OSError, ValueError) as error:
            raise RunError(f"{path} cannot be read ({error}); remove it, and the step is done again") from error


class TurnFolders:
    """All turns of one engine."""

    def __init__(self, engine: Path) -> None:
        self.engine, self.root = engine, engine / "turns"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else takes a turn meanwhile; the lock ends with this process, however it ends.

        Raises: RunError when another process has it.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.engine / "lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise RunError(
                f"another process turns the engine in {self.engine}; wait until its turn ends, or end it"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def finished(self) -> list[TurnFolder]:
        """In order."""
        return [turn for turn in self._all() if turn.is_finished]

    def unfinished(self) -> TurnFolder | None:
        """The turn that was begun and not ended."""
        return next((turn for turn in self._all() if not turn.is_finished), None)

    def begin(self) -> TurnFolder:
        """The unfinished turn, or a new one."""
        found = self.unfinished()
        if found is not None:
            return found
        turn = TurnFolder(self.root / f"{len(self._all()) + 1:04d}")
        turn.path.mkdir()
        return turn

    def set_aside(self) -> Path | None:
        """Give up the unfinished turn: its folder is renamed, and the next turn is begun anew. Where it is now."""
        found = self.unfinished()
        if found is None:
            return None
        tried = len(list(self.root.glob(f"{found.path.name}{_ASIDE}*")))
        return found.path.rename(self.root / f"{found.path.name}{_ASIDE}{tried + 1}")

    def _all(self) -> list[TurnFolder]:
        return [TurnFolder(path) for path in sorted(self.root.glob("[0-9]*")) if path.name.isdecimal()]
