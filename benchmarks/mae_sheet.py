"""What a pre-trained encoder fills in, on photographs that no training set holds (scikit-image's).

    python -m benchmarks.mae_sheet runs/mae --out docs/pictures/mae.jpg

Each picture as it is, as it was seen, and filled in (with each hidden patch's true mean and contrast, which are no part
of what is learned).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from skimage import data

sys.path.insert(0, str(Path(__file__).parents[1]))

from anymask.images.augment import SquareConfig, random_square
from anymask.runs import RunFolder, from_plain
from anymask.training.checkpoint import load_latest
from anymask.training.mae import MaskedAutoencoder, PretrainConfig, Views, fill_in
from anymask.training.patches import hidden_patches
from anymask.training.sheets import draw_reconstructions

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
"""NASA (public domain), Stefan van der Walt (CC0), Rachel Michetti (CC0), SpaceX (CC0)."""


def main(arguments: list[str]) -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a folder of `anymask pretrain`")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args(arguments)
    config = from_plain(PretrainConfig, RunFolder(asked.run).config()).model
    checkpoint = load_latest(asked.run / "checkpoints")
    if checkpoint is None:
        sys.exit(f"{asked.run} holds no checkpoint; give the folder of a run of anymask pretrain")
    model = MaskedAutoencoder(config).eval()
    model.load_state_dict(checkpoint.model)
    rng = np.random.default_rng(0)
    whole = SquareConfig(area=(1.0, 1.0), flip_probability=0.0)
    pixels = [random_square(getattr(data, name)(), config.encoder.native_size, whole, rng) for name in PHOTOGRAPHS]
    hidden = [hidden_patches(config.patches, config.hidden_ratio, rng) for _ in PHOTOGRAPHS]
    views = Views(PHOTOGRAPHS, np.stack(pixels), np.stack(hidden))
    with torch.inference_mode():
        images = model.normalise(torch.from_numpy(views.pixels).permute(0, 3, 1, 2))
        predicted = model(images, torch.from_numpy(views.hidden))
    draw_reconstructions(asked.out, fill_in(model, views, predicted))


if __name__ == "__main__":
    main(sys.argv[1:])
