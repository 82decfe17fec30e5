"""One column's results as JSON lines, a picture a line, so that a stopped evaluation goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from anymask.errors import AnymaskError, RunError


class Row(Protocol):
    """What is known of one picture."""

    @property
    def picture(self) -> str:
        """`SET/ID`."""
        ...

    @property
    def sha256(self) -> str:
        """Changes with the picture or its annotation, which are evaluated again then."""
        ...


R = TypeVar("R", bound=Row)
Plain = dict[str, Any]


class RowFile(Generic[R]):
    """The file of one column, appended picture by picture.

    The first line names the settings; a last line cut by a crash is dropped. Later lines of a picture replace earlier.
    """

    def __init__(self, path: Path, settings: str, encode: Callable[[R], Plain], decode: Callable[[Plain], R]) -> None:
        """Open or begin the file.

        Raises: RunError when it was made with other settings, is damaged before its last line, or cannot be written.
        """
        self.path = path
        self._encode = encode
        self._done: dict[str, R] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            whole = self._whole_lines()
        except OSError as error:
            raise _cannot_write(path, error) from error
        if not whole:
            self._append({"settings": settings})
            return
        found, rows = _parse(path, whole, decode)
        self._done = {row.picture: row for row in rows}
        if found != settings:
            raise RunError(
                f"{path} holds results of other settings ({found}; now {settings}); "
                "delete it, or evaluate into a new folder"
            )

    def get(self, picture: str, sha256: str) -> R | None:
        """The result of that picture if it is there and its data has not changed since."""
        found = self._done.get(picture)
        return found if found is not None and found.sha256 == sha256 else None

    def add(self, row: R) -> None:
        """Keep one more result; a kill of this process loses none that was kept.

        Raises: RunError when it cannot be written; what was there stays.
        """
        self._done[row.picture] = row
        self._append(self._encode(row))

    def _whole_lines(self) -> list[bytes]:
        if not self.path.exists():
            return []
        data = self.path.read_bytes()
        end = data.rfind(b"\n") + 1
        if end < len(data):
            os.truncate(self.path, end)
        return data[:end].splitlines()

    def _append(self, plain: Plain) -> None:
        try:
            with self.path.open("ab") as stream:
                stream.write(json.dumps(plain, separators=(",", ":")).encode() + b"\n")
        except OSError as error:
            raise _cannot_write(self.path, error) from error


def read_rows(path: Path, decode: Callable[[Plain], R]) -> list[R]:
    """The results that a `RowFile` kept, the last of each picture, in order of first appearance; nothing is written.

    Raises: RunError when the file is not there, cut off or damaged.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror}); give the folder of an evaluation") from error
    if not lines:
        raise RunError(f"{path} is empty; give the folder of an evaluation that has begun")
    rows = _parse(path, lines, decode)[1]
    return list({row.picture: row for row in rows}.values())


def _parse(path: Path, lines: list[bytes], decode: Callable[[Plain], R]) -> tuple[object, list[R]]:
    """The settings and the rows of whole lines."""
    try:
        header, *rows = [json.loads(line) for line in lines]
        if set(header) != {"settings"}:
            raise ValueError("its first line names no settings")
        return header["settings"], [decode(row) for row in rows]
    except (ValueError, KeyError, TypeError, AnymaskError) as error:
        raise RunError(f"{path} is damaged ({error}); delete it, or evaluate into a new folder") from error


def _cannot_write(path: Path, error: OSError) -> RunError:
    return RunError(f"{path} cannot be written ({error.strerror}); make room or name another folder, then run again")
