"""Image encoder: ViT-B at 1024 x 1024, ours beside the public implementation.  python benchmarks/encoder.py"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.harness import Options, Report, difference, run
from benchmarks.models import our_vit_b, picture, public_vit_b, weights_file

GFLOP = 972 - 30
"""Floating-point operations of the encoder, without the padding of windows that need not be computed."""


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
    """The largest difference in units of the embedding's own deviation."""
    return f"{difference(ours, peer) / float(peer.std()):.1e} of a deviation"


def main() -> Report:
    weights_file()
    report = run("encoder", "segment-anything 1.0", ours, peer, Options(cases=["ViT-B 1024"], turns=5, compare=compare))
    reached = GFLOP / report.rows[0].ours_s
    print(f"{reached:.0f} GFLOP/s, {reached / report.matrix_product_gflops:.0%} of the machine's matrix-product rate")
    return report


if __name__ == "__main__":
    main()
