"""Row 14: a training killed in a step, in a save, between epochs and by SIGTERM, in one process and in two.

Real runs of `anymask train` on small drawn pictures; each ends as one that nobody disturbed.
"""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from anymask.cli.running import begin_run
from anymask.cli.train import TrainOptions
from anymask.model.weights import load, model_hash
from anymask.runs import RunFolder
from anymask.training.checkpoint import load_latest
from tests.services.processes import environment
from tests.training.drawn import draw_set, small_run

_PICTURES = 7
"""Two a step, so that epochs end within steps."""
_STEPS_A_KILL = 10
"""Of the whole run. A stop comes one to six steps after the last, or while a process starts; checkpoints every two."""
_START_S = 4.0
"""A process that starts is killed within this time."""
_STEPS_ON = 2
"""A run that waits for its stop is let go on for so many steps at most, so that none ends before its stop."""
_LOSS_TOLERANCE = 1e-3
"""Relative difference of the losses of one process and of two, which add in another order."""
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class _Run:
    """A training that goes on whenever it is started."""

    path: Path
    steps: int
    environment: dict[str, str] = field(default_factory=environment)

    @staticmethod
    def begun(path: Path, data: Path, steps: int) -> _Run:
        """The run's folder as `anymask train` makes it, with a model small enough for steps of milliseconds."""
        options = TrainOptions(recipe="tiny", start="random", data=(data,))
        begin_run(path, small_run(steps, checkpoint_every=2), options, verb="train")
        return _Run(path, steps)

    def start(self, processes: int) -> subprocess.Popen[bytes]:
        """`anymask train --resume`, its words in a file of the run's folder."""
        torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m"]
        words = [*(torchrun if processes > 1 else []), "anymask", "train", "--resume", str(self.path)]
        with (self.path / "said").open("ab") as said:
            return subprocess.Popen(
                [sys.executable, "-m", *words],
                env=self.environment,
                cwd=_ROOT,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )

    def finish(self, processes: int = 1) -> None:
        """Take all steps that are left.

        Raises: RuntimeError with what the run said when it failed.
        """
        code = self.start(processes).wait(timeout=600)
        if code:
            said = (self.path / "said").read_text()
            raise RuntimeError(f"{self.path.name} ended with {code}: {said[-2000:]}")

    def taken(self) -> int:
        """Steps that are written down."""
        path = self.path / "metrics.jsonl"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def stop_after(
        self, step: int, wait_s: float, number: signal.Signals, processes: int, *, all_of_them: bool
    ) -> bool:
        """Start, and send the signal up to `wait_s` after that step, to the first process or to all; False when it
        ended before. What is left behind goes on by itself."""
        process = self.start(processes)
        while process.poll() is None and self.taken() < step:
            time.sleep(0.002)
        reached, until = self.taken(), time.monotonic() + wait_s
        while time.monotonic() < until and self.taken() < reached + _STEPS_ON:
            time.sleep(0.002)
        met = process.poll() is None
        if met:
            first = psutil.Process(process.pid)
            for one in [first, *(first.children(recursive=True) if all_of_them else ())]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.send_signal(number)
        process.wait(timeout=120)
        return met

    def losses(self) -> list[float]:
        """One a step.

        Raises: RuntimeError when a step is missing or written twice.
        """
        lines = list(RunFolder(self.path).metrics())
        if [line["step"] for line in lines] != list(range(1, self.steps + 1)):
            raise RuntimeError(f"{self.path.name} has steps {[line['step'] for line in lines]}, expected each once")
        return [float(line["loss"]) for line in lines]

    def weights(self) -> str:
        """The hash of the final weights, which have to load."""
        return model_hash(load(self.path / "model.safetensors"))

    def check_loads(self) -> None:
        """Read the newest checkpoint, if there is one.

        Raises: RunError when there are some and none reads whole.
        """
        load_latest(self.path / "checkpoints")


def kills(alone: int, together: int) -> bool:
    """True when a training stopped `alone` times as one process and `together` times as two has the very losses and
    weights of one that nobody stopped, and one that changes its number of processes at each stop the same losses but
    for rounding; every stop has to meet a run at work. Each fourth stop is a SIGTERM, the others SIGKILL; of these, in
    two processes, every other one meets torchrun alone, which leaves its processes behind."""
    rng = random.Random(14)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_set(folder / "data" / "drawn", seed=0, count=_PICTURES)
        rows = [(alone, (1,)), (together, (2,)), (together, (2, 1))]
        return all(_one_row(folder, rng, count, processes) for count, processes in rows if count)


def _one_row(folder: Path, rng: random.Random, count: int, processes: tuple[int, ...]) -> bool:
    """A run stopped `count` times, in turn with each number of `processes`, beside one that was left alone."""
    steps = count * _STEPS_A_KILL
    title = "-".join(map(str, processes))
    whole = _Run.begun(folder / f"whole_{title}", folder / "data", steps)
    whole.finish(processes[0])
    stopped = _Run.begun(folder / f"stopped_{title}", folder / "data", steps)
    met = 0
    for index in range(count):
        number = signal.SIGTERM if index % 4 == 3 else signal.SIGKILL
        starting = index % 5 == 4
        after = 0 if starting else stopped.taken() + rng.randint(1, 6)
        wait_s = rng.uniform(0, _START_S if starting else 0.1)
        group = number == signal.SIGKILL and index % 2 == 0
        met += stopped.stop_after(after, wait_s, number, processes[index % len(processes)], all_of_them=group)
        stopped.check_loads()
    stopped.finish(processes[0])
    same_weights = whole.weights() == stopped.weights()
    pairs = zip(whole.losses(), stopped.losses(), strict=True)
    differ = max(abs(a - b) / abs(a) for a, b in pairs)
    equal = same_weights and differ == 0 if len(processes) == 1 else differ < _LOSS_TOLERANCE
    print(
        f"{count} stops with {' and '.join(map(str, processes))} process(es), {met} of them met a run at work: "
        f"{steps} steps, each once; losses differ by {differ:.1e} at most, weights "
        f"{'equal' if same_weights else 'not equal'}; every checkpoint loaded",
        flush=True,
    )
    return equal and met == count
