"""The same weights on both sides: a random ViT-B whose masks have the size and number that real ones have."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from anymask.model.sam import Sam, SamConfig
from tests.paired_models import enliven
from tests.public_sam import import_public_sam

CACHE = Path(__file__).parents[1] / ".cache" / "benchmarks"


def weights_file() -> Path:
    """The weights as a state-dict file, made on first use (a minute) and kept under .cache/.

    Call it before the sides start: making it takes more memory than either of them.
    """
    path = CACHE / "random_vit_b.pth"
    if not path.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        public = import_public_sam().sam_model_registry["vit_b"]()
        enliven(public, seed=0)
        torch.save(public.state_dict(), path)
    return path


def public_vit_b() -> Any:
    """The public implementation with those weights."""
    return import_public_sam().sam_model_registry["vit_b"](checkpoint=str(weights_file())).eval()


def our_vit_b() -> Sam:
    """Ours with those weights."""
    model = Sam(SamConfig.named("vit_b")).eval()
    model.load_state_dict(torch.load(weights_file(), weights_only=True))
    return model


def picture(height: int = 1500, width: int = 2250) -> npt.NDArray[np.uint8]:
    """(height, width, 3) uint8: the demo photograph enlarged."""
    from PIL import Image

    photo = Image.open(Path(__file__).parents[1] / "demo" / "coffee.jpg").convert("RGB")
    return np.asarray(photo.resize((width, height), Image.Resampling.BICUBIC))
