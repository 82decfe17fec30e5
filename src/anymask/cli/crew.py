"""Worker processes beside a server: started again when they end, and ended when they show no sign of life."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from anymask.cli import console

_BEATS = "ANYMASK_BEATS"
"""Names, for a worker, the open file that takes its signs of life."""
_BEAT_S = 1.0
_SILENT_S = 30.0
"""A worker that is silent for so long is stopped or stuck in native code. It is ended, and its job's lease with it."""
_START_S = 300.0
"""The same until the first sign."""
_POLL_S = 0.2
_RESTART_S = 1.0
_END_S = 10.0


class Crew:
    """Worker processes, one for each command line."""

    def __init__(self, commands: Sequence[Sequence[str]]) -> None:
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._keep, args=(list(command),)) for command in commands]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """End all of them, and wait for it."""
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _keep(self, command: list[str]) -> None:
        while not self._ending.is_set():
            code = self._run(command)
            if not self._ending.is_set():
                console.warn(f"a worker ended (exit code {code}); it is started again")
                self._ending.wait(_RESTART_S)

    def _run(self, command: list[str]) -> int:
        """Until the process ends, is silent for too long, or all are to end; its exit code."""
        beats, given = os.pipe()
        os.set_blocking(beats, False)
        # The worker ends when its standard input does: so it does not outlive a killed server.
        with subprocess.Popen(
            [sys.executable, "-m", "anymask", *command],
            stdin=subprocess.PIPE,
            pass_fds=(given,),
            env={**os.environ, _BEATS: str(given)},
        ) as process:
            os.close(given)
            heard, patience_s = time.monotonic(), _START_S
            while process.poll() is None and not self._ending.wait(_POLL_S):
                if _has_beat(beats):
                    heard, patience_s = time.monotonic(), _SILENT_S
                elif time.monotonic() - heard > patience_s:
                    console.warn(f"a worker showed no sign of life for {patience_s:g} s and is ended")
                    process.kill()
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(_END_S)
                except subprocess.TimeoutExpired:
                    process.kill()
        os.close(beats)
        return process.returncode


def follow_parent(stop: threading.Event) -> None:
    """In a worker: show the server that started it signs of life, and set `stop` when that one ends."""
    threading.Thread(target=_stop_at_end_of_input, args=(stop,), daemon=True).start()
    if _BEATS in os.environ:
        threading.Thread(target=_beat, args=(int(os.environ.pop(_BEATS)), stop), daemon=True).start()


def _has_beat(beats: int) -> bool:
    try:
        return bool(os.read(beats, 4096))
    except BlockingIOError:
        return False


def _beat(file: int, stop: threading.Event) -> None:
    try:
        while not stop.wait(_BEAT_S):
            os.write(file, b".")
    except OSError:  # nobody listens any more, and the end of the input says so too
        return


def _stop_at_end_of_input(stop: threading.Event) -> None:
    # Not by the file object: a thread that waits in it keeps the interpreter from ending.
    while os.read(sys.stdin.fileno(), 1):
        pass
    stop.set()
