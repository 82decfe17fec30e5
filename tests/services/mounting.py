"""Mounts a disk, or leaves the test out."""

from __future__ import annotations

import os
import subprocess

import pytest


def mount_or_skip(command: list[str]) -> None:
    """Run the mount command. Without an administrator's rights the test is skipped, in CI it fails."""
    if subprocess.run(command, check=False).returncode:
        reason = "mounting a disk needs the rights of an administrator"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
