"""The same weights on both sides: a random ViT-B, or one that was taught to answer clicks.

Only random weights answer every click with masks as large as the picture or empty, and almost all of everything-mode's
work would then be left out, on either side. The taught decoder gives three discs around each click, of scores that
differ over the picture: masks of the sizes and the number that real ones have.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

from anymask.model.embedding import ImageEmbedding
from anymask.model.sam import Sam, SamConfig
from anymask.prompts.types import FOREGROUND, PADDING, PromptBatch
from tests.paired_models import enliven
from tests.public_sam import import_public_sam, randomise

Kind = Literal["random", "taught"]
CACHE = Path(__file__).parents[1] / ".cache" / "benchmarks"
TAUGHT_CELLS = 16
"""Side of the crops of the embedding that the decoder is taught on: the full 64 would take an hour."""
STEPS = 300
RADII = (0.05, 0.1, 0.2)
"""Of the discs around a click, as shares of the input."""


def weights_file(kind: Kind = "random") -> Path:
    """The weights as a state-dict file, made on first use ("taught": two minutes) and kept under .cache/.

    Call it before the sides start: making it takes more memory than either of them.
    """
    path = CACHE / f"{kind}_vit_b.pth"
    if not path.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        public = import_public_sam().sam_model_registry["vit_b"]()
        if kind == "random":
            randomise(public)
        else:
            enliven(public, seed=0)
        model = _ours(public.state_dict())
        if kind == "taught":
            _teach(model)
        torch.save(model.state_dict(), path)
    return path


def _teach(model: Sam) -> None:
    """Fit the decoder to discs around clicks, on crops of the picture's embedding."""
    with torch.no_grad():
        pixels = torch.tensor(picture(683, 1024)).permute(2, 0, 1)[None]
        main = model.embed(model.preprocess(pixels)).main
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(model.mask_decoder.parameters(), lr=1e-3)
    cells = (torch.arange(4 * TAUGHT_CELLS) + 0.5) / (4 * TAUGHT_CELLS)
    last = main.shape[-1] - TAUGHT_CELLS + 1
    for step in range(STEPS):
        y, x = torch.randint(0, last, (2,), generator=generator).tolist()
        crop = ImageEmbedding(main[..., y : y + TAUGHT_CELLS, x : x + TAUGHT_CELLS])
        unit_xy = torch.rand(16, 2, generator=generator)
        points = torch.stack((unit_xy * 16 * TAUGHT_CELLS, torch.zeros(16, 2)), dim=1)
        prompts = PromptBatch(points, torch.tensor([FOREGROUND, PADDING]).expand(16, 2))
        answer = model.decode_all(model.prepare(crop), prompts)
        distance = torch.hypot(cells[:, None] - unit_xy[:, 1, None, None], cells - unit_xy[:, 0, None, None])
        discs = (distance[:, None] < torch.tensor(RADII)[:, None, None]).float()
        logits, soft = answer.logits[:, 1:], answer.logits[:, 1:].sigmoid()
        shared, whole = (soft * discs).sum((2, 3)), soft.sum((2, 3)) + discs.sum((2, 3))
        dice = 1 - (2 * shared + 1) / (whole + 1)
        scores = 0.76 + 0.2 * unit_xy[:, :1] + torch.tensor([0.0, 0.02, 0.04])
        loss = 10 * F.binary_cross_entropy_with_logits(logits, discs) + dice.mean()
        loss = loss + F.mse_loss(answer.iou[:, 1:], scores)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(f"  teaching: step {step} of {STEPS}, loss {loss.item():.3f}", file=sys.stderr, flush=True)


def _ours(state: dict[str, Tensor]) -> Sam:
    model = Sam(SamConfig.named("vit_b")).eval()
    model.load_state_dict(state)
    return model


def public_vit_b(kind: Kind = "random") -> Any:
    """The public implementation with those weights."""
    return import_public_sam().sam_model_registry["vit_b"](checkpoint=str(weights_file(kind))).eval()


def our_vit_b(kind: Kind = "random") -> Sam:
    """Ours with those weights."""
    return _ours(torch.load(weights_file(kind), weights_only=True))


def picture(height: int = 1500, width: int = 2250) -> npt.NDArray[np.uint8]:
    """(height, width, 3) uint8: the demo photograph enlarged."""
    from PIL import Image

    photo = Image.open(Path(__file__).parents[1] / "demo" / "coffee.jpg").convert("RGB")
    return np.asarray(photo.resize((width, height), Image.Resampling.BICUBIC))
