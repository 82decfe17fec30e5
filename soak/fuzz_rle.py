"""Row 1 at full size: random run lengths, most of them malformed, against the gate that every mask file passes."""

from __future__ import annotations

import gc

import numpy as np
import psutil

from anymask.errors import MaskError
from anymask.masks import rle
from soak.sizes import RLE_FUZZ_GROWTH_MIB, RLE_FUZZ_INPUTS

_DECODED_PX = 2_000_000
"""A mask of more pixels is legal but not decoded here: its own array would drown what is measured."""


def run(inputs: int = RLE_FUZZ_INPUTS) -> bool:
    """True when every input was refused by a MaskError or understood exactly, and the process hardly grew."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        _try(_random_input(rng))
    process = psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    understood = sum(_try(_random_input(rng)) for _ in range(inputs))
    gc.collect()
    growth_mib = (process.memory_info().rss - before) / 2**20
    print(f"{inputs} inputs: {inputs - understood} refused, {understood} understood, grew {growth_mib:.1f} MiB")
    return growth_mib < RLE_FUZZ_GROWTH_MIB and 0 < understood < inputs


def _try(value: object) -> bool:
    """Whether the gate took `value`; what it took must survive a decode and encode unchanged."""
    try:
        taken = rle.from_json(value)
    except MaskError:
        return False
    if taken.size_hw[0] * taken.size_hw[1] <= _DECODED_PX:
        mask = rle.decode(taken)
        assert mask.shape == taken.size_hw
        assert int(mask.sum()) == rle.area(taken)
        assert rle.encode(mask) == taken
        assert rle.merge([taken, taken]) == taken
    return True


def _random_input(rng: np.random.Generator) -> object:
    size: list[object] = [int(rng.integers(1, 60)), int(rng.integers(1, 60))]
    shape = (int(str(size[0])), int(str(size[1])))
    counts = rle.encode(rng.random(shape) < rng.random()).counts
    kind = rng.integers(12)
    if kind == 0:
        counts = rng.integers(0, 256, rng.integers(0, 80), np.uint8).tobytes()
    elif kind == 1:
        counts = rng.integers(48, 112, rng.integers(1, 80), np.uint8).tobytes()
    elif kind == 2:
        counts = counts[: int(rng.integers(0, len(counts) + 1))]
    elif kind == 3:
        place = int(rng.integers(0, len(counts)))
        counts = counts[:place] + bytes([int(rng.integers(0, 256))]) + counts[place + 1 :]
    elif kind == 4:
        counts = counts * int(rng.integers(2, 5))
    elif kind == 5:
        wild = (0, -1, 1.5, 2**31, 2**63, 10**40, None, "7", True, float("nan"))
        size[int(rng.integers(2))] = wild[int(rng.integers(len(wild)))]
    elif kind == 6:
        size = size[: int(rng.integers(0, 2))] if rng.random() < 0.5 else [*size, 3]
    elif kind == 7:
        return {"size": size, "counts": [int(n) for n in rng.integers(-5, 400, rng.integers(0, 20))]}
    elif kind == 8:
        return {"size": size, "counts": "é" + counts.decode("ascii")}
    elif kind == 9:
        return (None, [], "x", 7, {"counts": counts}, {"size": size})[int(rng.integers(6))]
    text = rng.random() < 0.5 and all(byte < 128 for byte in counts)
    return {"size": size, "counts": counts.decode("ascii") if text else counts}
