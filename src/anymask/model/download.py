"""Files of weights from the network: resumed, verified, and complete or not there at all.

A file grows as `NAME.part` beside its final name and is renamed when its length and sha256 are right. `NAME.lock` is
held meanwhile, so that several processes fetch it once; the operating system lets go of it when its holder dies.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from anymask.errors import ChecksumError, DownloadError
from anymask.model.registry import WeightsEntry

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

Progress = Callable[[int, int], None]
"""Called with (bytes on disk, bytes in all) as a file grows; an exception raised by it stops the download."""

_CHUNK = 1 << 20
_TIMEOUT_S = 30.0
_ATTEMPTS = 4
"""Connections tried in a row without a single new byte before giving up."""


def fetch(entry: WeightsEntry, cache_dir: Path, progress: Progress | None = None) -> Path:
    """The path of `entry`'s verified file under `cache_dir`, downloaded or completed if need be.

    A file that is there already is hashed every time: nothing that lies in a cache is trusted by its name.

    Raises: DownloadError when the file cannot be fetched or written, ChecksumError when it is not the registered one.
    """
    path = cache_dir / entry.file_name
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        if path.exists():
            verify(entry, path)
            return path
        with _locked(cache_dir / f"{entry.file_name}.lock"):
            if path.exists():  # another process fetched it while this one waited
                verify(entry, path)
            else:
                _complete(entry, path, progress)
    except OSError as error:
        raise DownloadError(f"cannot write {path}: {error}. {_by_hand(entry, path)}") from error
    return path


def verify(entry: WeightsEntry, path: Path) -> None:
    """Nothing, if `path` is the registered file.

    Raises: ChecksumError naming the file, what it has and what was expected.
    """
    size = path.stat().st_size
    if size != entry.size_bytes:
        raise ChecksumError(
            f"{path} has {size:,} bytes, {entry.file_name} has {entry.size_bytes:,}; delete it and load again"
        )
    digest = file_sha256(path)
    if digest != entry.sha256:
        raise ChecksumError(
            f"{path} has sha256 {digest}, the registered one is {entry.sha256}; it is damaged or not the released "
            "file: delete it and load again"
        )


def file_sha256(path: Path) -> str:
    """Hex digest of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _complete(entry: WeightsEntry, path: Path, progress: Progress | None) -> None:
    """Grow the part file to its full length, verify it and give it its name."""
    part = path.with_name(f"{path.name}.part")
    total = entry.size_bytes or 0
    resumed = part.exists() and part.stat().st_size > 0
    if resumed and part.stat().st_size > total:
        part.unlink()
    free = shutil.disk_usage(path.parent).free
    missing = total - (part.stat().st_size if part.exists() else 0)
    if free < missing:
        raise DownloadError(
            f"{path.parent} has {free:,} bytes free, {entry.file_name} needs {missing:,} more; "
            "free some space or give another cache_dir"
        )
    _grow(entry, part, progress)
    try:
        verify(entry, part)
    except ChecksumError as error:
        part.unlink()
        if not resumed:
            raise ChecksumError(
                f"what {entry.url} sent is not {entry.file_name} ({error}); nothing was kept. {_by_hand(entry, path)}"
            ) from error
        _complete(entry, path, progress)  # the old beginning may be what was wrong: once more, from nothing
        return
    part.replace(path)


def _grow(entry: WeightsEntry, part: Path, progress: Progress | None) -> None:
    """Append to `part` until it has the full length, connecting again where a connection ends early."""
    total = entry.size_bytes or 0
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        if progress is not None:
            progress(before, total)
        if before == total:
            return
        try:
            _receive(entry, part, before, progress)
            reason = "the connection ended early"
        except urllib.error.HTTPError as error:
            error.close()
            reason = f"it answered {error.code} {error.reason}"
            if error.code == 416 and before:  # the server's file is shorter than what is here
                part.unlink()
            elif error.code < 500:
                raise DownloadError(f"cannot fetch {entry.url}: {reason}. {_by_hand(entry, part)}") from error
        except (OSError, http.client.HTTPException) as error:  # no network, a reset, a timeout, a full disk
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        after = part.stat().st_size if part.exists() else 0
        failures = 0 if after > before else failures + 1
        if failures >= _ATTEMPTS:
            raise DownloadError(
                f"cannot fetch {entry.file_name} from {entry.url}: {reason}; {after:,} of {total:,} bytes are kept and "
                f"the next call goes on from there. {_by_hand(entry, part)}"
            )
        time.sleep(0.1 * 2**failures)


def _receive(entry: WeightsEntry, part: Path, start: int, progress: Progress | None) -> None:
    """One connection: bytes from `start` on are appended to `part`, as far as they come."""
    total = entry.size_bytes or 0
    url = entry.url or ""
    if urlsplit(url).scheme not in ("http", "https"):
        raise DownloadError(f"{entry.name} has the address {url!r}; only http and https are fetched")
    headers = {"User-Agent": "anymask", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_S) as answer:
        goes_on = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        if start and not goes_on and answer.status != 200:
            raise DownloadError(f"{url} sent another part than the one asked for. {_by_hand(entry, part)}")
        promised = answer.headers.get("Content-Length")
        length = total - start if goes_on else total  # a server may ignore the range and send everything
        if promised is not None and int(promised) != length:
            raise DownloadError(
                f"{url} would send {int(promised):,} bytes where {length:,} were expected: not the registered file "
                f"(a login page of the network, perhaps). {_by_hand(entry, part)}"
            )
        done = start if goes_on else 0
        with part.open("ab" if goes_on else "wb") as stream:
            while done < total:
                piece = answer.read1(min(_CHUNK, total - done))
                if not piece:
                    break
                stream.write(piece)
                done += len(piece)
                if progress is not None:
                    progress(done, total)
            stream.flush()
            os.fsync(stream.fileno())


def _by_hand(entry: WeightsEntry, path: Path) -> str:
    """The way without this machine's network."""
    target = path.with_name(entry.file_name)
    return (
        f"Without network: fetch {entry.url} elsewhere ({entry.size_bytes or 0:,} bytes, sha256 {entry.sha256}) "
        f"and put it at {target}, or give its path to load()"
    )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock file, waiting for whoever has it."""
    with path.open("a+b") as stream:
        if sys.platform == "win32":
            while True:
                stream.seek(0)
                try:
                    msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK, 1)
                    break
                except OSError as error:
                    if error.errno != errno.EDEADLK:  # LK_LOCK gives up after ten seconds
                        raise
        else:
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
