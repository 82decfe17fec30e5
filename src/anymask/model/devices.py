"""Which device each of several processes computes on."""

from __future__ import annotations

import torch


def device_of(device: str, index: int) -> str:
    """The device of process `index`: "cuda" is spread over all GPUs in turn, anything else is taken as it is."""
    return f"cuda:{index % max(1, torch.cuda.device_count())}" if device == "cuda" else device
