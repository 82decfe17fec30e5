"""Small pictures, a small model and settings under which a run of bulk generation takes seconds."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from anymask.data_engine.automatic import CrewConfig, GenerateHooks, GenerateReport, generate
from anymask.data_engine.generation.config import GenerateConfig
from tests.services.processes import environment


def write_pictures(folder: Path, count: int, *, side: int = 64, suffix: str = "jpg") -> Path:
    """`count` pictures of coloured blocks, all different."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        rng = np.random.default_rng(index)
        blocks = rng.integers(0, 256, (4, 5, 3), np.uint8)
        picture = Image.fromarray(blocks).resize((side + 16, side), Image.Resampling.NEAREST)
        picture.save(folder / f"{index:05d}.{suffix}", quality=92)
    return folder


def small_config(model: Path, **changes: Any) -> GenerateConfig:
    """Nine clicks a picture, few pictures a piece and a shard."""
    values: dict[str, Any] = {
        "model": str(model),
        "preset": "tiny",
        "points_per_side": 3,
        "pictures_per_piece": 3,
        "pictures_per_shard": 8,
    }
    return GenerateConfig(**(values | changes))


def run(
    source: Path, out: Path, model: Path, workers: int = 1, hooks: GenerateHooks | None = None, **changes: Any
) -> GenerateReport:
    """A whole run."""
    return generate([str(source)], out, small_config(model, **changes), CrewConfig(workers=workers), hooks=hooks)


def hashes(out: Path) -> dict[str, str]:
    """What must be the same however a run went: shards and cards."""
    files = [*sorted(out.glob("*.tar")), out / "dataset.json", out / "README.md"]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def worker_processes() -> list[psutil.Process]:
    """The living workers that this process has started."""
    alive = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in alive if "spawn_main" in " ".join(child.cmdline())]


def command(source: Path, out: Path, model: Path, *more: str) -> list[str]:
    """The same run by the command line, as a process of its own."""
    settings = ["--preset", "tiny", "--points-per-side", "3", "--pictures-per-piece", "3", "--pictures-per-shard", "8"]
    return [sys.executable, "-m", "anymask", "generate", str(source), str(out), "--model", str(model), *settings, *more]


def run_command(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[str]:
    """`command` to its end."""
    return subprocess.run(
        command(*arguments), env=environment(), check=False, capture_output=True, text=True, timeout=300, **options
    )


def report_of(out: Path) -> dict[str, Any]:
    """report.json of a run."""
    found: dict[str, Any] = json.loads((out / "report.json").read_bytes())
    return found


def kill_at_random_points(source: Path, out: Path, model: Path, points: int, seed: int = 0) -> int:
    """Start the run `points` times and kill it, then let it end. Gives how many kills met a run at work."""
    rng = random.Random(seed)
    met = 0
    for _ in range(points):
        workers = rng.randint(2, 8)
        process = subprocess.Popen(
            command(source, out, model, "--workers", str(workers)),
            env=environment(), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        _wait_for_work(out, process)
        time.sleep(rng.uniform(0, 2.0))
        met += process.poll() is None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    ended = run_command(source, out, model, "--workers", "2")
    assert ended.returncode == 1, ended.stderr  # 1: the cut picture
    return met


def _wait_for_work(out: Path, process: subprocess.Popen[bytes]) -> None:
    """Until the first worker has begun a piece, or the run is over."""
    while process.poll() is None and not any((out / "work" / "attempts").glob("*.json")):
        time.sleep(0.02)
