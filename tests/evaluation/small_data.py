"""Real labelled pictures, shrunk so that a baseline takes milliseconds, as a folder of sets."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from anymask.dataset import Record, read_shards

SIDE_PX = 96


def write_small_sets(root: Path, shards: Iterable[Path], count: int) -> Path:
    """The first `count` pictures of each shard under `root`, the longest side 96 px; labels by nearest neighbour."""
    for shard in shards:
        for record in islice(read_shards([shard]), count):
            _write(root / record.set_name, record)
    return root


def _write(folder: Path, record: Record) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(record.pixels())
    scale = SIDE_PX / max(picture.size)
    size_wh = (round(picture.width * scale), round(picture.height * scale))
    picture.resize(size_wh, Image.Resampling.BOX).save(folder / f"{record.id}.webp", lossless=True)
    rows = (np.arange(size_wh[1]) + 0.5) * picture.height // size_wh[1]
    columns = (np.arange(size_wh[0]) + 0.5) * picture.width // size_wh[0]
    for number, labels in enumerate(record.label_maps()):
        small = labels[np.ix_(rows.astype(int), columns.astype(int))]
        Image.fromarray(small).save(folder / f"{record.id}__{number}.png")
