"""The embedded model as a person meets it: picture to embedding, and a click.  python benchmarks/tiny.py"""

from __future__ import annotations

import json
import re
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import anymask
from anymask.predict.predictor import Predictor
from anymask.prompts.types import Prompt
from benchmarks.harness import RESULTS, machine
from benchmarks.models import picture


def main() -> dict[str, float | str | int]:
    predictor = Predictor(anymask.load("tiny"))
    photo, rng = picture(480, 640), np.random.default_rng(0)
    embed, click = [], []
    for _ in range(30):
        start = time.perf_counter()
        predictor.set_image(photo)
        embed.append(time.perf_counter() - start)
        for _ in range(5):
            prompt = Prompt(points_xy=rng.uniform(50, 430, (1, 2)).astype(np.float32))
            start = time.perf_counter()
            predictor.predict(prompt)
            click.append(time.perf_counter() - start)
    result: dict[str, float | str | int] = {"name": "tiny", "machine": machine(), "threads": torch.get_num_threads()}
    for name, seconds in (("picture_to_embedding", embed[3:]), ("click_to_masks", click[15:])):
        result[f"{name}_p50_ms"] = round(statistics.median(seconds) * 1000, 1)
        result[f"{name}_p95_ms"] = round(float(np.quantile(seconds, 0.95)) * 1000, 1)
    folder = RESULTS / re.sub(r"[^a-z0-9]+", "-", machine().lower()).strip("-")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tiny.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    return result


if __name__ == "__main__":
    main()
