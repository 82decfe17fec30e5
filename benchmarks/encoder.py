"""Image encoder: ViT-B at 1024 x 1024, ours beside the public implementation.  python benchmarks/encoder.py"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from anymask.model.image_encoder import VitConfig
from anymask.model.windows import window_layout
from benchmarks.harness import Options, Report, difference, run
from benchmarks.models import our_vit_b, picture, public_vit_b, weights_file


def count_gflop(config: VitConfig) -> float:
    """Operations (a multiplication and an addition each) of matrix products at the native size, padding left out."""
    side = config.native_size // 16
    tokens, dim = side**2, config.dim
    blocks = config.depth * tokens * 2 * dim**2 * (4 + 2 * config.mlp_ratio)
    pairs = len(config.global_blocks) * tokens**2
    for group in window_layout((side, side), config.window).groups:
        keys = group.length + group.is_padded
        pairs += (config.depth - len(config.global_blocks)) * group.count * group.length * keys
    ends = 2 * tokens * (3 * 256 * dim + dim * config.out_dim + 9 * config.out_dim**2)
    return (blocks + 4 * pairs * dim + ends) / 1e9


def images() -> torch.Tensor:
    """(1, 3, 1024, 1024), the photograph normalised."""
    pixels = torch.from_numpy(picture(1024, 1024).copy()).permute(2, 0, 1)[None].float()
    return (pixels - 118) / 58


def ours() -> dict[str, Callable[[], np.ndarray]]:
    model, given = our_vit_b(), images()

    def embed() -> np.ndarray:
        with torch.inference_mode():
            return model.embed(given).main.numpy()

    return {"ViT-B 1024": embed}


def peer() -> dict[str, Callable[[], np.ndarray]]:
    model, given = public_vit_b(), images()

    def embed() -> np.ndarray:
        with torch.inference_mode():
            found: np.ndarray = model.image_encoder(given).numpy()
        return found

    return {"ViT-B 1024": embed}


def compare(ours: np.ndarray, peer: np.ndarray) -> str:
    """The largest difference, and the embedding's own deviation for scale."""
    return f"differ by {difference(ours, peer):.1e} at most, deviation {float(peer.std()):.2f}"


def main() -> Report:
    weights_file()
    options = Options(cases=["ViT-B 1024"], turns=5, gflop=round(count_gflop(VitConfig()), 1), compare=compare)
    return run("encoder", "segment-anything 1.0", ours, peer, options)


if __name__ == "__main__":
    main()
