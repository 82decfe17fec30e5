"""Where the records of shards and folders lie, and one of them read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anymask.dataset.record import LabelForm, Record
from anymask.errors import DatasetError


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadLimits:
    """What a shard or folder may hold before it is refused."""

    max_members: int = 200_000
    """Most members of one shard, or files of one set folder."""
    max_member_bytes: int = 64 * 2**20
    """Most bytes of one member or file."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where some bytes lie: a member of a shard, or a whole file of a folder."""

    file: Path
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class RecordEntry:
    """One record by position, for reading in any order (see `read_entry`)."""

    id: str
    set_name: str
    image: Span
    maps: tuple[Span, ...]
    form: LabelForm = "png"
    """What `maps` are, as in `Record`."""

    @property
    def name(self) -> str:
        """`SET/ID`."""
        return f"{self.set_name}/{self.id}"


def read_entry(entry: RecordEntry) -> Record:
    """The record at `entry`.

    Raises: DatasetError when its shard or file is gone or shorter than when it was indexed.
    """
    image, *maps = (_read_span(span, entry.name) for span in (entry.image, *entry.maps))
    return Record(entry.id, entry.set_name, image, tuple(maps), entry.form)


def _read_span(span: Span, name: str) -> bytes:
    try:
        with span.file.open("rb") as stream:
            stream.seek(span.offset)
            chunk = stream.read(span.size)
    except OSError as error:
        raise DatasetError(f"{span.file} cannot be read: {error}") from error
    if len(chunk) != span.size:
        raise DatasetError(f"{span.file} ends inside {name}; copy the file again, then index it again")
    return chunk
