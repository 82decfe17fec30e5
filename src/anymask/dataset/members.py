"""The members of a tar shard: every header checked, nothing extracted."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from anymask.dataset.entries import ReadLimits, Span
from anymask.errors import DatasetError

MAX_HEADER_BYTES = 2**20
"""Most bytes of one extended tar header (a long name)."""


def read_members(shard: Path, limits: ReadLimits) -> Iterator[tuple[str, Span]]:
    """Name and place of every member of an uncompressed tar, in stored order; reads headers only.

    The name is as stored: the caller checks that it is one of its form. The entry "./" that tar writes for the folder
    itself is passed over.

    Raises: DatasetError for a member that is not a plain file or too large, too many members, a damaged, cut or
    compressed shard.
    """
    for count, member in enumerate(_headers(shard), start=1):
        if count > limits.max_members:
            raise DatasetError(f"{shard} holds more than {limits.max_members} members; split it, or raise max_members")
        if member.type == tarfile.DIRTYPE and member.name == ".":
            continue
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.sparse is not None:
            raise DatasetError(
                f"{shard}: member {member.name!r} is not a plain file (a link, device, folder or sparse file)"
            )
        if not 0 <= member.size <= limits.max_member_bytes:
            raise DatasetError(
                f"{shard}: {member.name!r} has {member.size} bytes, the limit is {limits.max_member_bytes}"
            )
        yield member.name, Span(shard, member.offset_data, member.size)


class _HeaderStream(io.BufferedReader):
    """A file that gives no more bytes at once than an honest header needs: a false size must not fill the memory."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header claims {size} bytes")
        return super().read(size)


def _headers(shard: Path) -> Iterator[tarfile.TarInfo]:
    """Every member header of an uncompressed tar, to its end mark.

    `tarfile` ends quietly at a damaged header that is not the first; what follows would be lost without a word, so the
    end mark is looked for.
    """
    try:
        with _HeaderStream(shard) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            while (member := archive.next()) is not None:
                yield member
            stream.seek(archive.offset)
            if stream.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
                raise DatasetError(f"{shard} is damaged or cut off at byte {archive.offset}; copy it again")
    except FileNotFoundError as error:
        raise DatasetError(f"{shard} does not exist; give a .tar shard or a folder of sets") from error
    except (tarfile.TarError, OSError, EOFError, ValueError, RecursionError) as error:
        raise DatasetError(f"{shard} is not a whole, uncompressed tar shard: {error}") from error
