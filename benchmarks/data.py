"""How fast training samples are made, and how long the trainer waits for them.

    python -m benchmarks.data ../shared/data/train-00.tar

For each number of workers: pictures a second when samples are taken as fast as they come, and the share of its time
that a trainer waits which computes `--step` seconds between two batches. The trainer sleeps meanwhile, as one does
whose device computes; one that computes on the same cores waits longer. Views are those of the recipe `tiny`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2

sys.path.insert(0, str(Path(__file__).parents[1]))

from anymask.dataset.index import RecordIndex
from anymask.recipes import recipe
from anymask.training.batches import Batches, DataConfig
from benchmarks.harness import RESULTS, machine

SIZE, MASKS, WARM_STEPS = 512, 8, 3


def main(arguments: list[str]) -> dict[str, object]:
    """Measure, print, write results/<machine>/data.json and return what is in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="shards or folders")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--ahead", type=int, default=2, help="steps made before they are asked for")
    parser.add_argument("--pictures", type=int, default=4, help="pictures a step")
    parser.add_argument("--steps", type=int, default=40, help="measured steps of each number of workers")
    parser.add_argument("--step", type=float, default=0.2, help="seconds that the trainer computes a step")
    parser.add_argument("--threads", type=int, default=1, help="OpenCV's own threads, beside the workers")
    given = parser.parse_args(arguments)
    cv2.setNumThreads(given.threads)
    records = RecordIndex(given.data)
    rows = []
    for workers in given.workers:
        config = replace(recipe("tiny").data, workers=workers, ahead=given.ahead)
        seconds, _ = walk(records, config, given.pictures, given.steps, 0.0)
        total, waited = walk(records, config, given.pictures, given.steps, given.step)
        row = {
            "workers": workers,
            "pictures_per_s": round(given.pictures * given.steps / seconds, 1),
            "waiting_share": round(waited / total, 3),
        }
        print(f"{workers} workers: {row['pictures_per_s']} pictures/s, waiting {row['waiting_share']:.1%}")
        rows.append(row)
    result = {
        "name": "data",
        "machine": machine(),
        "size": SIZE,
        "masks": MASKS,
        "pictures": given.pictures,
        "steps": given.steps,
        "ahead": given.ahead,
        "step_s": given.step,
        "rows": rows,
    }
    folder = RESULTS / re.sub(r"[^a-z0-9]+", "-", machine().lower()).strip("-")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.json").write_text(json.dumps(result, indent=1) + "\n")
    return result


def walk(records: RecordIndex, config: DataConfig, pictures: int, steps: int, compute_s: float) -> tuple[float, float]:
    """Seconds that `steps` steps take in all, and seconds of these that were spent waiting for a batch."""
    batches = Batches(records, config, pictures=pictures, seed=0)
    waited, begun = 0.0, time.perf_counter()
    for step in range(WARM_STEPS + steps):
        if step == WARM_STEPS:
            waited, begun = 0.0, time.perf_counter()
        asked = time.perf_counter()
        batches.get(step, SIZE, MASKS, (step + 1, SIZE, MASKS))
        waited += time.perf_counter() - asked
        time.sleep(compute_s)
    total = time.perf_counter() - begun
    batches.close()
    return total, waited


if __name__ == "__main__":
    main(sys.argv[1:])
