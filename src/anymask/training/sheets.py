"""Contact sheets of what the model answers while it learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch.nn.functional as F

from anymask.figures.overlays import overlay
from anymask.figures.pictures import encode
from anymask.figures.sheets import contact_sheet
from anymask.runs import write_atomically
from anymask.training.batches import Batch
from anymask.training.interactive import Outcome

MASKS_SHOWN = 3
_HIDDEN = 128
"""Grey of what was not shown."""


@dataclass(frozen=True, slots=True, eq=False)
class Reconstruction:
    """A picture, what an encoder saw of it, and what the decoder made of that."""

    name: str
    pixels: npt.NDArray[np.uint8]
    """(S, S, 3) RGB."""
    hidden: npt.NDArray[np.bool_]
    """(N,) patches of a square grid, in raster order, that the encoder did not see."""
    answer: npt.NDArray[np.uint8]
    """(S, S, 3) RGB: hidden patches as predicted, the others as they are."""


def draw_sheet(path: Path, batch: Batch, outcomes: list[Outcome]) -> None:
    """Write a picture of the batch: for each sample, true masks beside the answers to the first prompt."""
    tiles, titles = [], []
    for sample, outcome in zip(batch.samples, outcomes, strict=True):
        size = sample.masks.shape[-1]
        logits = F.interpolate(outcome.first_logits[:MASKS_SHOWN, None], (size, size), mode="bilinear")[:, 0]
        answers = list(logits.gt(0).cpu().numpy())
        for index, (truth, answer) in enumerate(zip(sample.masks[:MASKS_SHOWN], answers, strict=True)):
            pair = [overlay(sample.pixels, [truth]), overlay(sample.pixels, [answer])]
            tiles.append(np.concatenate(pair, axis=1))
            kind = "box" if outcome.is_box[index] else "click"
            titles.append(f"{sample.name}: {kind} {outcome.first_iou[index]:.2f} -> {outcome.last_iou[index]:.2f}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, encode(contact_sheet(tiles, titles, columns=MASKS_SHOWN), "jpeg"))


def draw_reconstructions(path: Path, shown: Sequence[Reconstruction]) -> None:
    """Write a picture, a row for each: as it is, as the encoder saw it (hidden patches grey), as it was filled in."""
    tiles, titles = [], []
    for one in shown:
        side = round(len(one.hidden) ** 0.5)
        size = len(one.pixels) // side
        grid = one.hidden.reshape(side, side).repeat(size, axis=0).repeat(size, axis=1)
        tiles += [one.pixels, np.where(grid[..., None], np.uint8(_HIDDEN), one.pixels), one.answer]
        titles += [one.name, "seen", "filled in"]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, encode(contact_sheet(tiles, titles, columns=3), "jpeg"))
