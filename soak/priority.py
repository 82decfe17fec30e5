"""Being served first on a machine that others use too, so that a measured time is the program's and not theirs."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

FIRST = "ANYMASK_SOAK_FIRST"
"""Set to 1, as root on Linux, it has the load figures measured so; the printed line says it."""
_NICE = -12


def wants_first() -> bool:
    """Whether it is asked for."""
    return os.environ.get(FIRST) == "1"


def go_first(*folders: Path) -> None:
    """This process, its children, and those whose command line names one of `folders`, before all others.

    Linux shares the processor among sessions first, so that the niceness of a process counts in its own session only;
    what counts is its session's.
    """
    own = psutil.Process()
    found = [own, *own.children(recursive=True)]
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if any(str(folder) in line for folder in folders):
            found += [process, *process.children(recursive=True)]
    for process in found:
        Path(f"/proc/{process.pid}/autogroup").write_text(str(_NICE))
