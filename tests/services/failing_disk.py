"""A real disk that fails under its users: ext4 in a file, which turns read-only at an error, and is repaired later."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.services.mounting import mount_or_skip


@dataclass(frozen=True, slots=True)
class FailingDisk:
    """A mounted file system."""

    at: Path
    file: Path

    def fail(self) -> None:
        """Have the file system find an error, as it does when its disk fails: it is read-only from now on."""
        device = Path(self._device()).name
        (Path("/sys/fs/ext4") / device / "trigger_fs_error").write_text("1")
        until = time.monotonic() + 20
        while self._can_write():
            assert time.monotonic() < until, "the disk did not turn read-only"
            time.sleep(0.05)

    def repair(self) -> None:
        """What an administrator does: unmount, check, mount again. Fails when somebody keeps a file open on it."""
        until = time.monotonic() + 20
        while (
            answer := subprocess.run(["umount", str(self.at)], check=False, capture_output=True, text=True)
        ).returncode:
            assert time.monotonic() < until, (answer.stderr, self._open_files())
            time.sleep(0.05)
        # 1: errors were found, and corrected.
        assert subprocess.run(["e2fsck", "-fy", str(self.file)], check=False, capture_output=True).returncode in (0, 1)
        subprocess.run(self.mount_command(), check=True)
        assert self._can_write()

    def mount_command(self) -> list[str]:
        """Of the file on its folder."""
        return ["mount", "-o", "loop,errors=remount-ro", str(self.file), str(self.at)]

    def _can_write(self) -> bool:
        probe = self.at / "probe"
        try:
            probe.write_bytes(b"x")
            probe.unlink()
        except OSError:
            return False
        return True

    def _open_files(self) -> list[str]:
        """Who has what open on it."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                files = [file.resolve() for file in (Path("/proc") / str(process.pid) / "fd").iterdir()]
                found += [f"{process.cmdline()[:4]} {file}" for file in files if file.is_relative_to(self.at)]
        return found

    def _device(self) -> str:
        for line in Path("/proc/mounts").read_text().splitlines():
            device, at, *_ = line.split()
            if at == str(self.at):
                return device
        raise AssertionError(f"nothing is mounted at {self.at}")


@contextmanager
def failing_disk(folder: Path, size_mib: int = 64) -> Iterator[FailingDisk]:
    """An ext4 file system below `folder`.

    Mounting needs the rights of an administrator and loop devices: without them the test is skipped, in CI the lack of
    rights fails.
    """
    if not Path("/dev/loop-control").exists():
        pytest.skip("this machine has no loop devices")
    disk = FailingDisk(folder / "disk", folder / "disk.ext4")
    disk.at.mkdir()
    with disk.file.open("wb") as stream:
        stream.truncate(size_mib * 2**20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(disk.file)], check=True)
    mount_or_skip(disk.mount_command())
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk.at)], check=True)
