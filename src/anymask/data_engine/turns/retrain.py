"""Training as a process of its own: `anymask train` on a dataset version, from the current model's weights.

It goes on where it was, to the same bits on a CPU. It ends with the process that began it; and it holds a lock for as
long as it lives, so that a turn that is taken up again never trains beside what is left of the killed one.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from anymask.data_engine.turns.config import EngineConfig, StageConfig
from anymask.data_engine.turns.folder import StoppedError
from anymask.dataset.index import RecordIndex
from anymask.errors import ConfigError, RunError
from anymask.runs import RunFolder

RUN, LOG = "training", "training.log"
TRAINING_LOCK = "training.lock"
"""In the engine's folder."""
WEIGHTS = "model.safetensors"
_LOOK_S = 0.25
_WAIT_FOR_OLD_S = 120.0
# Loaded here: between fork and exec, in a process with threads, as little as possible may be done.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1
"""Linux: the signal that a process gets when the one that began it ends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainTask:
    """What to train."""

    folder: Path
    """The turn's; the run is in it."""
    lock: Path
    """Of the engine's trainings, for a turn that was set aside may have left one."""
    start: Path
    """Weights to begin with."""
    data: tuple[str, ...]
    """Shards of this project."""
    stage: StageConfig
    """Recipe, steps and rate."""
    seed: int


Progress = Callable[[int, int], None]
"""Steps done, and in all."""


def train(task: TrainTask, config: EngineConfig, progress: Progress, should_stop: Callable[[], bool]) -> Path:
    """The file of the trained weights.

    Raises: StoppedError when it was told to; RunError when training fails, with the last line it wrote; ConfigError for
    data to mix with that have a set of the same name.
    """
    command = train_command(task, config)
    with _own_lock(task.lock) as lock, (task.folder / LOG).open("a") as log:
        code = _run(command, task.folder, lock, log, progress, should_stop)
    weights = task.folder / RUN / WEIGHTS
    if code != 0 or not weights.is_file():
        lines = (task.folder / LOG).read_text().strip().splitlines()
        last = lines[-1] if lines else "it said nothing"
        raise RunError(
            f"training ended with code {code}: {last}; {task.folder / LOG} has all it said. The served model is as it "
            "was; mend the cause and take the turn up again, or set it aside"
        )
    return weights


def train_command(task: TrainTask, config: EngineConfig) -> list[str]:
    """The words that start (and go on with) the training.

    Raises: ConfigError as `train`.
    """
    words = ["train", "--from", str(task.start), "--recipe", task.stage.recipe, "--seed", str(task.seed)]
    for data in (*task.data, *config.mix):
        words += ["--data", data]
    for name, weight in _weights(task.data, config).items():
        words += ["--weight", f"{name}={weight:.6g}"]
    if task.stage.steps is not None:
        words += ["--steps", str(task.stage.steps)]
    if task.stage.lr is not None:
        words += ["--lr", str(task.stage.lr)]
    words += ["--device", config.device, "--out", str(task.folder / RUN)]
    if config.launcher:
        return [*config.launcher, *words]
    if config.processes == 1:
        return [sys.executable, "-m", "anymask", *words]
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(config.processes)]
    return [sys.executable, *several, "-m", "anymask", *words]


def _weights(data: tuple[str, ...], config: EngineConfig) -> dict[str, float]:
    """So much of each of this project's sets that `mix_share` of the samples are of the other data."""
    if not config.mix:
        return {}
    own = RecordIndex(list(data)).pictures_of_sets()
    shared = own.keys() & RecordIndex(list(config.mix)).pictures_of_sets().keys()
    if shared:
        raise ConfigError(
            f"EngineConfig.mix has sets called {', '.join(sorted(shared))} as the project has; leave them out of it"
        )
    ratio = (1 - config.mix_share) / config.mix_share
    return {name: ratio * count / sum(own.values()) for name, count in own.items()}


@contextlib.contextmanager
def _own_lock(path: Path) -> Iterator[int]:
    """A lock that all processes share that inherit it: it is free when the last of them has ended.

    Raises: RunError when a killed turn's training does not end.
    """
    with path.open("a") as stream:
        until = time.monotonic() + _WAIT_FOR_OLD_S
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > until:
                    raise RunError(
                        f"a training of before still runs (it holds {path}); end it, and give the command again"
                    ) from error
                time.sleep(_LOOK_S)
        yield stream.fileno()


def _run(
    command: list[str],
    folder: Path,
    lock: int,
    log: IO[str],
    progress: Progress,
    should_stop: Callable[[], bool],
) -> int:
    """The exit code.

    Raises: StoppedError.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        pass_fds=(lock,),
        preexec_fn=end_with_parent,
    ) as process:
        try:
            while process.poll() is None:
                if should_stop():
                    process.terminate()
                    process.wait()
                    raise StoppedError
                _tell(RunFolder(folder / RUN), progress)
                time.sleep(_LOOK_S)
        finally:
            if process.poll() is None:
                process.terminate()
        return process.returncode


def end_with_parent() -> None:
    """Run in a process before its program: it gets SIGTERM when the one that began it ends (on Linux)."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _tell(run: RunFolder, progress: Progress) -> None:
    if not run.exists():
        return
    with contextlib.suppress(OSError, ValueError, KeyError):
        *_, last = run.metrics()
        progress(int(last["step"]), int(run.config()["steps"]))
