"""Results as lines of a file (what a killed or full disk does to them is in test_results.py)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from anymask.errors import RunError
from anymask.evaluation.rows import RowFile, read_rows


@dataclass(frozen=True)
class Line:
    picture: str
    sha256: str
    value: int


def decode(plain: dict[str, object]) -> Line:
    return Line(str(plain["picture"]), str(plain["sha256"]), int(str(plain["value"])))


def test_rows_read_back_are_the_last_of_each_picture(tmp_path: Path) -> None:
    file = RowFile(tmp_path / "a.jsonl", "s", asdict, decode)
    for line in (Line("a/1", "0", 1), Line("a/2", "0", 2), Line("a/1", "0", 3)):
        file.add(line)
    assert read_rows(file.path, decode) == [Line("a/1", "0", 3), Line("a/2", "0", 2)]
    again = RowFile(file.path, "s", asdict, decode)
    assert again.get("a/1", "0") == Line("a/1", "0", 3)
    assert again.get("a/1", "1") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        (b"", "is empty"),
        (b'{"x": 1}\n', "names no settings"),
        (b'{"settings": 1}\n{', "damaged"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "a.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunError, match=message):
        read_rows(path, decode)
    assert path.exists() == (content is not None)
