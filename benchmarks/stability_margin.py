"""How far the stability counted on low-res cells lies below that at the original size.

    python benchmarks/stability_margin.py SHARD.tar

The prefilter of everything-mode discards a mask unseen when even with a margin its low-res stability misses the
threshold. This measures what the margin must be, on outlines of real label maps made into logits: signed distances at
six sharpnesses, half of them with smooth noise. Printed is the largest (original - low-res) * sqrt(cells above the
lower threshold), which `STABILITY_MARGIN` doubles.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from anymask.dataset.read import read_shards
from anymask.images.frames import Frame
from anymask.predict.automatic import STABILITY_MARGIN
from anymask.predict.tracing import Tracer

Floats = npt.NDArray[np.float32]
SHARPNESS = (0.3, 0.7, 1.5, 3.0, 6.0, 12.0)
"""Logits a low-res cell of distance from the outline."""
NOISE = (0.6, 1.0, 2.0, 4.0)
"""Standard deviation, in cells, of the blur of the noise."""
MODELS = ((256, 1024), (128, 512))
"""Low-res size and input size: the released models, and tiny."""
BINS = (1, 30, 100, 300, 1000, 10_000, 100_000)


def outlines(shard: Path, pictures: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.bool_]]:
    """(H, W) bool masks of at least 20 pixels, at most four a label map."""
    for record in itertools.islice(read_shards([shard]), pictures):
        for labels in record.label_maps()[:2]:
            values, counts = np.unique(labels, return_counts=True)
            for value in rng.permutation(values[(values > 0) & (counts >= 20)])[:4]:
                yield labels == value


def to_logits(mask: npt.NDArray[np.bool_], frame: Frame, low_size: int, rng: np.random.Generator) -> Floats:
    """(low_size, low_size) logits whose zero follows the outline of the mask."""
    height, width = (max(1, side * low_size // frame.input_size) for side in frame.resized_hw)
    large = cv2.resize(mask.astype(np.uint8), (width * 2, height * 2), interpolation=cv2.INTER_LINEAR)
    distance = cv2.distanceTransform(large, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - large, cv2.DIST_L2, 5)
    logits = cv2.resize(distance / 2, (width, height), interpolation=cv2.INTER_AREA) * rng.choice(SHARPNESS)
    logits = np.clip(logits, -12, 12)
    if rng.random() < 0.5:
        noise = rng.standard_normal((height, width)).astype(np.float32)
        logits += cv2.GaussianBlur(noise, (0, 0), rng.choice(NOISE)) * rng.choice((1, 3, 6))
    padded = np.full((low_size, low_size), -8, np.float32)
    padded[:height, :width] = logits
    return padded


def measure(mask: npt.NDArray[np.bool_], rng: np.random.Generator) -> Iterator[tuple[int, float]]:
    """Cells above the lower threshold, and stability at the original size less that of the cells, per model."""
    scale = int(rng.choice((1, 3)))
    for low_size, input_size in MODELS:
        frame = Frame.fit((mask.shape[0] * scale, mask.shape[1] * scale), input_size)
        logits = to_logits(mask, frame, low_size, rng)
        traced = Tracer(frame, low_size).trace(logits[None])
        height, width = (-(-side * low_size // input_size) for side in frame.resized_hw)
        inner, outer = (int((logits[:height, :width] > threshold).sum()) for threshold in (1, -1))
        if outer:
            yield outer, float(traced.stability[0]) - inner / outer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shard", type=Path, help="a tar shard of pictures and label maps")
    parser.add_argument("--pictures", type=int, default=400)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    found = [pair for mask in outlines(given.shard, given.pictures, rng) for pair in measure(mask, rng)]
    cells, gaps = (np.array(column) for column in zip(*found, strict=True))
    table = Table(title=f"original - low-res stability of {len(found)} masks; margin in use {STABILITY_MARGIN}")
    for heading in ("cells", "masks", "largest", "largest * sqrt(cells)"):
        table.add_column(heading)
    for low, high in itertools.pairwise(BINS):
        rows = (cells >= low) & (cells < high)
        if rows.any():
            scaled = (gaps * np.sqrt(cells))[rows].max()
            table.add_row(f"{low} to {high}", str(rows.sum()), f"{gaps[rows].max():.3f}", f"{scaled:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
