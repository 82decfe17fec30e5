"""A real disk of a given size, for tests of what happens when it is full."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.mounting import mount_or_skip


@contextmanager
def small_disk(at: Path, size: str) -> Iterator[Path]:
    """A file system of `size` (and more options of tmpfs after commas) at the new folder `at`.

    Mounting needs the rights of an administrator: without them the test is skipped, in CI it fails.
    """
    at.mkdir()
    mount_or_skip(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(at)])
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)
