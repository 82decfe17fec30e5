from __future__ import annotations

from pathlib import Path

import pytest

from anymask.dataset import Record, RecordEntry, read_entry
from anymask.dataset.entries import Span
from anymask.errors import DatasetError


def test_an_entry_is_read_from_wherever_its_bytes_lie(tmp_path: Path) -> None:
    (tmp_path / "shard").write_bytes(b"..picture..map")
    (tmp_path / "second").write_bytes(b"other map")
    maps = (Span(tmp_path / "shard", 11, 3), Span(tmp_path / "second", 0, 9))
    entry = RecordEntry("a", "cups", Span(tmp_path / "shard", 2, 7), maps)
    assert entry.name == "cups/a"
    assert read_entry(entry) == Record("a", "cups", b"picture", (b"map", b"other map"))


@pytest.mark.parametrize(("content", "reason"), [(b"shor", "ends inside cups/a"), (None, "cannot be read")])
def test_a_file_that_shrank_or_went_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    file = tmp_path / "a.webp"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DatasetError, match=rf"a\.webp {reason}"):
        read_entry(RecordEntry("a", "cups", Span(file, 0, 5), ()))
