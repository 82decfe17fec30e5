"""Pictures, embeddings and exports as files named by their own hash, in a folder or any store that fsspec knows.

What is there once never changes, so it can be cached for ever, and writing it twice does no harm.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
from fsspec.callbacks import Callback
from fsspec.implementations.local import LocalFileSystem

from anymask.errors import AnymaskError, NotThereError, NotWritableError, StoreError
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
            # Others write to the same store: what was listed once says nothing.
            self.files, self.root = fsspec.core.url_to_fs(url, use_listings_cache=False)
            self.files.makedirs(self.root, exist_ok=True)
        except Exception as error:  # each kind of store has its own
            raise StoreError(
                f"the store {url} cannot be used ({_reason(error)}); give a folder or an address like "
                "s3://BUCKET/FOLDER, for which there is pip install 'anymask[s3]', with its keys in the environment"
            ) from error
        self.is_local = isinstance(self.files, LocalFileSystem)

    def put(self, data: bytes) -> str:
        """Keep `data`; its key. On disk (or acknowledged by the store) when this returns.

        Raises: NotWritableError when it cannot be written; nothing is left half.
        """
        key = hashlib.sha256(data).hexdigest()
        path = self._path(key)
        if self.has(key):
            return key
        with self._writing("a file"):
            if self.is_local:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                write_atomically(Path(path), data)
            else:
                self.files.pipe_file(path, data)
        return key

    def put_file(self, source: Path, on_part: Callable[[], None] = lambda: None) -> str:
        """The same for the content of a file, which may be larger than memory; `source` is gone afterwards.

        `on_part` is called again and again while it goes on, from another thread too.
        """
        digest = hashlib.sha256()
        with source.open("rb") as stream:
            while part := stream.read(_PART_BYTES):
                digest.update(part)
                on_part()
        key = digest.hexdigest()
        path = self._path(key)
        with self._writing(str(source)):
            if self.is_local:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            if self.is_local and source.stat().st_dev == Path(path).parent.stat().st_dev:
                source.replace(path)
            elif self.is_local:
                _copy(source, Path(path), on_part)
            else:
                sent = Callback(hooks={"sent": lambda *_: on_part()})
                self.files.put_file(str(source), path, callback=sent)
            source.unlink(missing_ok=True)
        return key

    def has(self, key: str) -> bool:
        """Whether it is there."""
        with self._reading(key):
            return bool(self.files.exists(self._path(key)))

    def size(self, key: str) -> int:
        """Bytes.

        Raises: NotThereError, StoreError when the store does not answer.
        """
        with self._reading(key):
            return int(self.files.size(self._path(key)))

    def read(self, key: str) -> bytes:
        """All bytes.

        Raises: as `size`.
        """
        with self._reading(key):
            data: Any = self.files.cat_file(self._path(key))
        return bytes(data)

    def read_part(self, key: str, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` to before `stop`, in parts.

        Raises: as `size`.
        """
        with self._reading(key), self.files.open(self._path(key), "rb") as stream:
            stream.seek(start)
            while start < stop and (part := stream.read(min(_PART_BYTES, stop - start))):
                start += len(part)
                yield part

    @contextmanager
    def _reading(self, key: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise _gone(key) from error
        except Exception as error:  # each kind of store has its own
            raise StoreError(f"the store does not answer ({_reason(error)}); try again in a moment") from error

    @contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        try:
            yield
        except AnymaskError:  # of the caller's `on_part`
            raise
        except OSError as error:
            raise NotWritableError(f"{what} cannot be kept ({_reason(error)}); free some space or rights") from error
        except Exception as error:
            raise StoreError(f"{what} cannot be kept now ({_reason(error)}); try again in a moment") from error

    def _path(self, key: str) -> str:
        assert _KEY.fullmatch(key), key
        return f"{self.root}/{key[:2]}/{key}"


def _copy(source: Path, target: Path, on_part: Callable[[], None]) -> None:
    """To another disk: whole, or not there."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with source.open("rb") as read, temporary.open("wb") as written:
            while part := read.read(_PART_BYTES):
                written.write(part)
                on_part()
            written.flush()
            os.fsync(written.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _reason(error: Exception) -> str:
    text = str(getattr(error, "strerror", None) or error).strip() or type(error).__name__
    return text.splitlines()[0][:300]


def _gone(key: str) -> NotThereError:
    return NotThereError(f"the file {key[:12]}... is not in the store; restore it from a backup, or import it again")
