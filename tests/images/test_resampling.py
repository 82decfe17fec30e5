"""Tiles of an axis reproduce the two bilinear steps of a frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from anymask.images.frames import Frame
from anymask.images.resampling import axis_weights, tile_axis, tile_frame

SIZES = [(1500, 2250), (480, 640), (37, 53), (1, 700), (700, 1), (1024, 1024), (300, 97)]


@pytest.mark.parametrize("size_hw", SIZES)
def test_weights_of_both_axes_give_the_logits_of_the_frame(size_hw: tuple[int, int]) -> None:
    frame = Frame.fit(size_hw, 256)
    low = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    rows, columns = (axis_weights(64, 256, frame.resized_hw[axis], size_hw[axis]) for axis in (0, 1))
    due = frame.to_original_logits(torch.from_numpy(low)[None, None])[0, 0].numpy()
    assert np.abs(rows @ low @ columns.T - due).max() < 1e-5


@pytest.mark.parametrize("size_hw", SIZES)
def test_each_pixel_is_a_weighted_mean_of_cells(size_hw: tuple[int, int]) -> None:
    frame = Frame.fit(size_hw, 256)
    weights = axis_weights(64, 256, frame.resized_hw[0], size_hw[0])
    assert weights.min() >= 0
    assert np.abs(weights.sum(axis=1) - 1).max() < 1e-5


@pytest.mark.parametrize("length", [1, 7, 8, 9, 64, 300, 2250])
@pytest.mark.parametrize("lead", [0, 1])
def test_tiles_hold_every_pixel_once_and_nothing_outside(length: int, lead: int) -> None:
    weights = np.random.default_rng(length).random((length, 64)).astype(np.float32)
    tiles = tile_axis(weights, lead=lead)
    found = []
    for tile, first in enumerate(tiles.first_cell):
        dense = np.zeros((tiles.size, 64), np.float32)
        dense[:, first : first + tiles.window] = tiles.weights[tile, lead:]
        found.append(dense)
    every = np.concatenate(found)
    assert np.array_equal(every[:length], weights)
    assert not every[length:].any()
    assert tiles.own_pixels.sum() == length
    assert len(every) >= length + lead


def test_a_lead_row_repeats_the_last_row_of_the_tile_before() -> None:
    rows, _ = tile_frame(Frame.fit((300, 200), 256), 64)
    before = np.zeros(64, np.float32)
    lead = np.zeros(64, np.float32)
    before[rows.first_cell[1] :][: rows.window] = rows.weights[1, -1]
    lead[rows.first_cell[2] :][: rows.window] = rows.weights[2, 0]
    assert np.array_equal(before, lead)
    assert not rows.weights[0, 0].any()
