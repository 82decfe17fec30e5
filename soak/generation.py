"""Rows 10, 12 and 13 at full size: bulk generation over thousands of small pictures, killed again and again."""

from __future__ import annotations

import hashlib
import tempfile
import time
from pathlib import Path

import psutil

from anymask.data_engine.automatic import CrewConfig, GenerateHooks, generate
from anymask.data_engine.generation.config import GenerateConfig
from soak.sizes import CORRUPT_EVERY, CORRUPT_PICTURES, GENERATION_GROWTH_MIB, KILL_POINTS, REQUEUE_S
from tests.cli.small_model import write_small_model
from tests.data_engine.generation.small_runs import (
    hashes,
    kill_at_random_points,
    run,
    worker_processes,
    write_pictures,
)

_WARM_UP = 500
"""Most pictures after which memory is first looked at: by then every buffer has its size."""


def corrupt(pictures: int = CORRUPT_PICTURES, workers: int = 2) -> bool:
    """True when the run ends, names every damaged picture and no other, and no process grows with the pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = write_pictures(folder / "photos", pictures, side=32)
        damaged = {f"{index:05d}.jpg" for index in range(0, pictures, CORRUPT_EVERY)}
        for file in damaged:
            data = (source / file).read_bytes()
            # A tail of its own, so that no two damaged pictures are the same file.
            (source / file).write_bytes(data[: len(data) // 2] + hashlib.sha256(file.encode()).digest())
        memory = _Memory(min(_WARM_UP, pictures // 4))
        config = GenerateConfig(
            model=str(write_small_model(folder / "model.safetensors")), preset="tiny", points_per_side=2
        )
        start = time.perf_counter()
        hooks = GenerateHooks(progress=memory.look)
        report = generate([str(source)], folder / "out", config, CrewConfig(workers=workers), hooks=hooks)
        spent = time.perf_counter() - start
    print(
        f"{pictures} pictures in {spent:.0f} s, {len(report.failed)} of {len(damaged)} damaged ones named, processes "
        f"grew {memory.growth_mib:.1f} MiB after the first {memory.warm_up} pictures"
    )
    return set(report.failed) == damaged and memory.growth_mib < GENERATION_GROWTH_MIB


class _Memory:
    """How much the supervisor or any worker has grown since the first pictures."""

    def __init__(self, warm_up: int) -> None:
        self.warm_up = warm_up
        self._first: dict[int, int] = {}
        self.growth_mib = 0.0

    def look(self, done: int, _total: int) -> None:
        """Look at every process of the run."""
        if done < self.warm_up:
            return
        supervisor = psutil.Process()
        for process in [supervisor, *supervisor.children(recursive=True)]:
            try:
                resident = process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            grown = (resident - self._first.setdefault(process.pid, resident)) / 2**20
            self.growth_mib = max(self.growth_mib, grown)


def killed(points: int = KILL_POINTS, pictures: int = 400) -> bool:
    """True when a run killed at `points` random points, with 2 to 8 workers, ends with an uninterrupted one's bytes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = write_small_model(folder / "model.safetensors")
        source = write_pictures(folder / "photos", pictures)
        (source / "cut.jpg").write_bytes((source / "00003.jpg").read_bytes()[:-20])
        run(source, folder / "whole", model)
        met = kill_at_random_points(source, folder / "out", model, points)
        same = hashes(folder / "out") == hashes(folder / "whole")
    print(f"{points} kills, {met} of them met a run at work; bytes {'equal' if same else 'DIFFER'}")
    return same


def requeued() -> bool:
    """True when the pictures of a killed worker are given out again within the time that is due."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = write_small_model(folder / "model.safetensors")
        source = write_pictures(folder / "photos", 60)
        moments: dict[str, float] = {}

        def kill_one(done: int, total: int) -> None:
            if 0 < done < total and "killed" not in moments:
                moments["killed"] = time.perf_counter()
                worker_processes()[0].kill()

        def told(_words: str) -> None:
            moments.setdefault("given out", time.perf_counter())

        run(source, folder / "out", model, workers=2, hooks=GenerateHooks(progress=kill_one, tell=told))
    waited = moments["given out"] - moments["killed"]
    print(f"a killed worker's pictures were given out again after {waited:.2f} s")
    return waited < REQUEUE_S
