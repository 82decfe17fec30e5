"""The members of a tar shard: every header checked, nothing extracted."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

from anymask.dataset.entries import ReadLimits, Span
from anymask.errors import DatasetError

MAX_HEADER_BYTES = 2**20
"""Most bytes of one extended tar header (a long name)."""


def read_members(shard: Path, limits: ReadLimits, opened: BinaryIO | None = None) -> Iterator[tuple[str, Span]]:
    """Name and place of every member of an uncompressed tar, in stored order; reads headers only.

    With `opened`, a stream that can seek, the shard need be no local file; `shard` is then its name in messages.

    The name is as stored: the caller checks that it is one of its form. The entry "./" that tar writes for the folder
    itself is passed over.

    Raises: DatasetError for a member that is not a plain file or too large, too many members, a damaged, cut or
    compressed shard.
    """
    for count, member in enumerate(_headers(shard, opened), start=1):
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


class _HeaderStream:
    """A file that gives no more bytes at once than an honest header needs: a false size must not fill the memory."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.name = stream, ""
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1, /) -> bytes:
        """Exactly what was asked for, or what is left."""
        if not 0 <= size <= MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header claims {size} bytes")
        return self.stream.read(size)


def _headers(shard: Path, opened: BinaryIO | None) -> Iterator[tarfile.TarInfo]:
    """Every member header of an uncompressed tar, to its end mark.

    `tarfile` ends quietly at a damaged header that is not the first; what follows would be lost without a word, so the
    end mark is looked for.
    """
    try:
        with ExitStack() as stack:
            stream = _HeaderStream(opened or stack.enter_context(shard.open("rb")))
            archive = stack.enter_context(tarfile.open(fileobj=cast(BinaryIO, stream), mode="r:"))
            while (member := archive.next()) is not None:
                yield member
            stream.seek(archive.offset)
            if stream.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
                raise DatasetError(f"{shard} is damaged or cut off at byte {archive.offset}; copy it again")
    except FileNotFoundError as error:
        raise DatasetError(f"{shard} does not exist; give a .tar shard or a folder of sets") from error
    except (tarfile.TarError, OSError, EOFError, ValueError, RecursionError) as error:
        raise DatasetError(f"{shard} is not a whole, uncompressed tar shard: {error}") from error
