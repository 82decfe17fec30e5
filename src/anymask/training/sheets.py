"""Contact sheets of what the model answers while it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch.nn.functional as F

from anymask.figures.overlays import overlay
from anymask.figures.pictures import encode
from anymask.figures.sheets import contact_sheet
from anymask.runs import write_atomically
from anymask.training.batches import Batch
from anymask.training.interactive import Outcome

MASKS_SHOWN = 3


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
