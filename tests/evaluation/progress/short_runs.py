"""Run folders made by real training of a small model for a few steps."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from anymask.cli.main import main


def draw_set(folder: Path, seed: int, count: int) -> None:
    """Pictures of two coloured discs each, with their label maps, as one set."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for number in range(count):
        pixels = rng.integers(60, 100, (80, 100, 3), np.uint8)
        labels = np.zeros((80, 100), np.uint8)
        for region in (1, 2):
            centre = (int(rng.integers(20, 80)), int(rng.integers(20, 60)))
            cv2.circle(labels, centre, int(rng.integers(10, 18)), region, cv2.FILLED)
            pixels[labels == region] = rng.integers(0, 256, 3)
        cv2.imwrite(str(folder / f"{number}.webp"), pixels, [cv2.IMWRITE_WEBP_QUALITY, 101])
        cv2.imwrite(str(folder / f"{number}.png"), labels)


def train_short_run(out: Path, data: Path, model: Path, *more: object) -> Path:
    """A finished run of two steps in `out`."""
    arguments = ["--data", data, "--from", model, "--out", out, "--steps", 2, *more]
    assert main(["train", *map(str, arguments)]) == 0
    return out
