"""A small random model; one form of it acts as if it were sure of itself, so that everything-mode keeps its masks."""

from __future__ import annotations

from pathlib import Path

import torch

from anymask.model.sam import Sam, tiny_config
from anymask.model.weights import save


def write_small_model(path: Path, *, is_sure: bool = True) -> Path:
    """Save the model (input 128, 32 channels) at `path`."""
    torch.manual_seed(0)
    model = Sam(tiny_config(dim=32, input_size=128, quality_hidden=0)).eval()
    if is_sure:
        decoder = model.mask_decoder
        with torch.no_grad():
            decoder.iou_prediction_head.layers[-1].bias += 0.95
            for network in decoder.output_hypernetworks_mlps:
                # Logits far from 0 are stable: hardly a pixel lies within one of the threshold.
                network.layers[-1].weight *= 1000
                network.layers[-1].bias *= 1000
    save(model, path)
    return path
