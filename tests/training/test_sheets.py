"""Contact sheets show each sample's truth beside the answer."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from anymask.training.batches import Batch, Sample
from anymask.training.interactive import Outcome
from anymask.training.sheets import draw_sheet


def test_a_sheet_has_a_tile_for_each_mask(tmp_path: Path) -> None:
    masks = np.zeros((2, 64, 64), bool)
    masks[:, 10:40, 10:40] = True
    sample = Sample("set/x", np.full((64, 64, 3), 90, np.uint8), masks, (64, 64))
    scores = np.array([0.5, 0.6], np.float32)
    outcome = Outcome(torch.tensor(1.0), scores, scores, np.array([True, False]), torch.ones(2, 16, 16))
    path = tmp_path / "sheets" / "one.jpg"
    draw_sheet(path, Batch((sample, sample), (0, 1), ()), [outcome, outcome])
    sheet = np.asarray(Image.open(path))
    assert sheet.shape[0] > 2 * 64
    assert sheet.std() > 5
