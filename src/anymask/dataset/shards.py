"""Tar shards written: the same members give the same bytes, and a shard is there whole or not at all."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from anymask.errors import DatasetError

SHARD_NAME = "sa_{:06d}.tar"
"""As SA-1B names its shards."""


def add_member(shard: tarfile.TarFile, name: str, data: bytes) -> int:
    """Append a file to an open shard, without time, owner or anything else of this machine; gives the place of its
    first byte."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    offset = shard.offset + tarfile.BLOCKSIZE
    shard.addfile(member, io.BytesIO(data))
    return offset


@contextmanager
def new_shard(path: Path) -> Iterator[tarfile.TarFile]:
    """An open shard that gets its name when the block ends well, after it reached the disk.

    Raises: DatasetError when it cannot be written; what was there before stays whole.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as shard:
                yield shard
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException as error:
        _remove(temporary)
        if isinstance(error, OSError):
            raise DatasetError(
                f"{path} cannot be written ({error.strerror or error}); what was there before is whole: make room or "
                "name another folder, and give the same command again"
            ) from error
        raise


def write_members(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write a whole shard.

    Raises: DatasetError as `new_shard`.
    """
    with new_shard(path) as shard:
        for name, data in members:
            add_member(shard, name, data)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed writers left in `folder`: files that never got their names."""
    for path in folder.glob(".*.tmp"):
        _remove(path)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # a read-only disk: the message about it is on its way
