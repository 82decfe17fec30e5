"""Three turns of the data engine over its three stages, unattended, on real pictures with known masks.

    python -m benchmarks.loop_demo ../shared/data --out loop_demo

The pool is that of `benchmarks.loop_pool` (car_parts and facades): simulated people annotate pictures of its 70 %, and
models are scored on its 30 % and on val-*. It starts from `tiny_loop_start`, which has seen neither. Killed, the same
command goes on. Afterwards OUT/engine holds the turns, and `anymask engine status OUT/engine` shows them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tarfile
from pathlib import Path, PurePosixPath

sys.path.insert(0, str(Path(__file__).parents[1]))

from anymask.dataset.choose import sample_names
from benchmarks import loop_pool

PICTURES = 240
"""Pictures of the pool's 70 % that the project gets, by a hash of their names."""
A_TURN = 70
"""Of these, how many are annotated for each turn of the first two stages; the rest is for the model alone."""
_STAGE = {"recipe": "finetune_all", "steps": 100, "until": {"turns": 1}}
CONFIG = {
    "assisted": _STAGE,
    "semi_automatic": _STAGE,
    "automatic": _STAGE,
    "held_share": 0.05,
    "score": {"max_pictures": 30, "workers": 2},
    "hardest": {"pictures": 100, "grid": 6},
    "detector": {"steps": 400, "seed": 2},
    "generate": {"preset": "tiny", "pictures": 90, "points_per_side": 16, "workers": 2},
    "processes": 2,
}
HABITS = {"most_masks": 20}


def main(arguments: list[str]) -> None:
    """Make the pool and the engine, then run three turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of train-*.tar and val-*.tar")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=3)
    asked = parser.parse_args(arguments)
    out: Path = asked.out
    pool, sample, engine = out / "pool", out / "sample.tar", out / "engine"
    if not sample.exists():
        loop_pool.main([*map(str, sorted(asked.data.glob("train-*.tar"))), "--out", str(pool)])
        _take(pool / "train.tar", sample)
    for name, value in (("config", CONFIG), ("habits", HABITS)):
        (out / f"{name}.json").write_text(json.dumps(value, indent=1))
    if not (engine / "engine.json").exists():
        also = [word for path in sorted(asked.data.glob("val-*.tar")) for word in ("--also", str(path))]
        start = ["--project", "pool", "--model", "tiny_loop_start", "--pictures", str(sample)]
        held = ["--benchmark", str(pool / "held.tar")]
        _anymask("engine", "init", str(engine), *start, *held, *also, "--config", str(out / "config.json"))
    people = ["--simulate", str(sample), "--pictures", str(A_TURN), "--habits", str(out / "habits.json")]
    _anymask("engine", "run", str(engine), "--turns", str(asked.turns), *people)


def _take(pool: Path, sample: Path) -> None:
    """Some of the pictures with their label maps."""
    part = sample.with_suffix(".part")
    with tarfile.open(pool) as archive, tarfile.open(part, "w") as taken:
        members = [(_picture(member.name), member) for member in archive if member.isfile()]
        # Not the seed that cut the pool, nor those that the engine cuts with.
        wanted = sample_names({name for name, _ in members}, PICTURES, seed=3)
        for name, member in members:
            if name in wanted:
                taken.addfile(member, archive.extractfile(member))
    part.replace(sample)


def _picture(member: str) -> str:
    path = PurePosixPath(member)
    return str(path.with_name(path.stem.partition("__")[0]))


def _anymask(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "anymask", *words], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
