"""What is known of workers that died: a file for each piece that is being made, read by whoever takes it next.

The first death in a piece blames nobody: several pictures were in the air. From then on the piece is done one picture
after the other, and each is named before it is begun, so that the next death has a name. A picture that ended as many
workers as are granted is set aside. The files are of one session: what was interrupted together with its workers
blames nobody.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from anymask.runs import from_plain, to_plain

MAX_TRIES = 3
"""Workers that one picture may end, each alone with it, before it is set aside."""


@dataclass(slots=True)
class Attempt:
    """One piece being made, as its file says it."""

    session: str
    """Of the supervisor that gave the piece out."""
    deaths: int = 0
    """Workers that died over it."""
    current: str = ""
    """Picture that is being done alone, by its number."""
    blamed: dict[str, int] = field(default_factory=dict)
    """Number of a picture -> workers that died while they were alone with it."""

    @property
    def is_careful(self) -> bool:
        """Whether pictures are to be done one after the other."""
        return self.deaths > 0

    def poison(self) -> set[int]:
        """Numbers of the pictures that are set aside."""
        return {int(number) for number, deaths in self.blamed.items() if deaths >= MAX_TRIES}


class AttemptFile:
    """The file of one piece."""

    def __init__(self, folder: Path, piece: str) -> None:
        self._path = folder / f"{piece}.json"

    def begin(self, session: str) -> Attempt:
        """Note that the piece is taken; what is found of the same session is of a worker that died over it."""
        attempt = self._read(session)
        if attempt is None:
            attempt = Attempt(session)
        else:
            attempt.deaths += 1
            if attempt.current:
                attempt.blamed[attempt.current] = attempt.blamed.get(attempt.current, 0) + 1
            attempt.current = ""
        self._write(attempt)
        return attempt

    def name(self, attempt: Attempt, number: int) -> None:
        """Note which picture is begun alone."""
        attempt.current = str(number)
        self._write(attempt)

    def end(self) -> None:
        """The piece is made."""
        self._path.unlink(missing_ok=True)

    def _read(self, session: str) -> Attempt | None:
        try:
            plain = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return None  # never begun, or its worker died while it wrote: nobody to blame
        if not isinstance(plain, dict) or plain.get("session") != session:
            return None
        blamed = {str(key): int(value) for key, value in plain.pop("blamed").items()}
        attempt = from_plain(Attempt, plain | {"blamed": {}})
        attempt.blamed = blamed
        return attempt

    def _write(self, attempt: Attempt) -> None:
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(to_plain(attempt)))
        temporary.replace(self._path)
