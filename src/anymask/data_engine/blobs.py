"""Pictures, embeddings and exports as files named by their own hash, in a folder or any store that fsspec knows.

What is there once never changes, so it can be cached for ever, and writing it twice does no harm.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from anymask.errors import NotThereError, StoreError
from anymask.runs import write_atomically

_KEY = re.compile(r"[0-9a-f]{64}")
_PART_BYTES = 2**20


class Blobs:
    """Bytes by the SHA-256 of themselves."""

    def __init__(self, url: str) -> None:
        """Below `url`: a folder, or an address such as `s3://bucket/folder`.

        Raises: StoreError for an address of no known kind, or when the package for it is missing.
        """
        try:
            self.files, self.root = fsspec.core.url_to_fs(url)
            self.files.makedirs(self.root, exist_ok=True)
        except (ValueError, ImportError, OSError) as error:
            raise StoreError(
                f"the store {url} cannot be used ({error}); give a folder or an address like s3://..."
            ) from error
        self.is_local = isinstance(self.files, LocalFileSystem)

    def put(self, data: bytes) -> str:
        """Keep `data`; its key. On disk (or acknowledged by the store) when this returns.

        Raises: StoreError when it cannot be written; nothing is left half.
        """
        key = hashlib.sha256(data).hexdigest()
        path = self._path(key)
        if self.has(key):
            return key
        try:
            self.files.makedirs(self.files._parent(path), exist_ok=True)
            if self.is_local:
                write_atomically(Path(path), data)
            else:
                self.files.pipe_file(path, data)
        except OSError as error:
            raise StoreError(f"a file cannot be kept ({error.strerror or error}); free some space or rights") from error
        return key

    def put_file(self, source: Path) -> str:
        """The same for the content of a file, which may be larger than memory; `source` may be moved away."""
        digest = hashlib.sha256()
        with source.open("rb") as stream:
            while part := stream.read(_PART_BYTES):
                digest.update(part)
        key = digest.hexdigest()
        path = self._path(key)
        try:
            self.files.makedirs(self.files._parent(path), exist_ok=True)
            if self.is_local and source.stat().st_dev == Path(path).parent.stat().st_dev:
                source.replace(path)
            else:
                self.files.put_file(str(source), path)
        except OSError as error:
            raise StoreError(
                f"{source} cannot be kept ({error.strerror or error}); free some space or rights"
            ) from error
        return key

    def has(self, key: str) -> bool:
        """Whether it is there."""
        return bool(self.files.exists(self._path(key)))

    def size(self, key: str) -> int:
        """Bytes.

        Raises: NotThereError.
        """
        try:
            return int(self.files.size(self._path(key)))
        except FileNotFoundError as error:
            raise _gone(key) from error

    def read(self, key: str) -> bytes:
        """All bytes.

        Raises: NotThereError.
        """
        try:
            data: Any = self.files.cat_file(self._path(key))
        except FileNotFoundError as error:
            raise _gone(key) from error
        return bytes(data)

    def read_part(self, key: str, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` to before `stop`, in parts.

        Raises: NotThereError.
        """
        try:
            with self.files.open(self._path(key), "rb") as stream:
                stream.seek(start)
                while start < stop and (part := stream.read(min(_PART_BYTES, stop - start))):
                    start += len(part)
                    yield part
        except FileNotFoundError as error:
            raise _gone(key) from error

    def _path(self, key: str) -> str:
        assert _KEY.fullmatch(key), key
        return f"{self.root}/{key[:2]}/{key}"


def _gone(key: str) -> NotThereError:
    return NotThereError(f"the file {key[:12]}... is not in the store; restore it from a backup, or import it again")
