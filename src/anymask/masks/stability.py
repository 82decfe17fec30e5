"""How little a mask changes when its threshold does: the stability score of the everything-mode."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from anymask.masks.overlap import count, ratio

_BLOCK_PX = 2**16
"""Logits compared at once on a CPU: 256 KiB of float32, read twice while they are in cache."""


def stability_score(logits: Tensor, threshold: float = 0.0, offset: float = 1.0) -> Tensor:
    """(...) float32 IoU of the masks `logits > threshold + offset` and `logits > threshold - offset`, (..., H, W).

    The first lies inside the second, so the IoU is the ratio of their areas. An empty pair scores 0 (the public
    implementation gives NaN, which fails every filter as 0 does, but cannot be written as JSON).

    Source: Kirillov et al. 2023, section 4.
    """
    high, low = threshold + offset, threshold - offset
    if logits.device.type != "cpu":
        return ratio(count(logits > high), count(logits > low))
    numbers = logits.detach().float() if logits.dtype == torch.bfloat16 else logits.detach()
    flat = numbers.reshape(-1, logits.shape[-2] * logits.shape[-1]).numpy()
    pairs = torch.tensor([_count_above(one, high, low) for one in flat], dtype=torch.int64).reshape(-1, 2)
    return ratio(pairs[:, 0], pairs[:, 1]).reshape(logits.shape[:-2])


def above(logits: Tensor, threshold: float = 0.0) -> Tensor:
    """`logits > threshold`, any shape, bool on the same device; on a CPU several times faster than torch compares."""
    if logits.device.type != "cpu" or logits.dtype == torch.bfloat16:
        return logits > threshold
    return torch.from_numpy(np.greater(logits.detach().numpy(), threshold))


def _count_above(flat: npt.NDArray[np.float32], high: float, low: float) -> tuple[int, int]:
    """Values of (N,) above each of two thresholds."""
    inner, outer = 0, 0
    for start in range(0, len(flat), _BLOCK_PX):
        block = flat[start : start + _BLOCK_PX]
        inner += int(np.count_nonzero(block > high))
        outer += int(np.count_nonzero(block > low))
    return inner, outer
