"""Contact sheets show each sample's truth beside the answer."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from anymask.training.batches import Batch, Sample
from anymask.training.interactive import Outcome
from anymask.training.sheets import Reconstruction, draw_reconstructions, draw_sheet


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


def test_reconstructions_have_three_tiles_a_row_with_hidden_patches_grey(tmp_path: Path) -> None:
    pixels = np.full((64, 64, 3), (200, 30, 30), np.uint8)
    hidden = np.ones(16, bool)
    hidden[0] = False
    path = tmp_path / "sheets" / "filled.jpg"
    draw_reconstructions(path, [Reconstruction("set/x", pixels, hidden, pixels)] * 2)
    sheet = np.asarray(Image.open(path)).astype(int)
    seen = sheet[8 + 128, 8 + 264 + 128]  # in the middle of the second tile
    np.testing.assert_allclose(seen, 128, atol=6)
    np.testing.assert_allclose(sheet[8 + 20, 8 + 264 + 20], (200, 30, 30), atol=12)
