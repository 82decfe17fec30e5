"""Thin lines: the same as scikit-image's thinning, borders between labels, and the ring around a mask."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import label
from skimage.morphology import thin as skimage_thin

from anymask.errors import MaskError
from anymask.masks.borders import label_borders, outer_ring, thin


@given(st.integers(0, 2**32 - 1), st.floats(0.4, 3), st.floats(0.1, 0.9))
def test_thinning_is_that_of_scikit_image(seed: int, blur: float, share: float) -> None:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).random((40, 55)), (0, 0), blur)
    mask = noise > np.quantile(noise, share)
    assert np.array_equal(thin(mask), skimage_thin(mask))


def test_thinning_keeps_every_part_and_leaves_lines_alone() -> None:
    noise = cv2.GaussianBlur(np.random.default_rng(3).random((60, 60)), (0, 0), 2)
    mask = noise > np.median(noise)
    lines = thin(mask)
    assert not (lines & ~mask).any()
    assert label(lines, connectivity=2).max() == label(mask, connectivity=2).max()
    assert np.array_equal(thin(lines), lines)
    assert not thin(np.zeros((3, 4), np.bool_)).any()


def test_borders_lie_between_regions_and_are_one_pixel_wide() -> None:
    labels = np.zeros((20, 30), np.uint16)
    labels[:, 15:] = 1
    labels[5:9, 3:8] = 2
    borders = label_borders(labels)
    assert np.flatnonzero(borders[0]).tolist() == [14]
    assert np.array_equal(thin(borders), borders)
    assert label(borders, connectivity=2).max() == 2
    assert not label_borders(np.ones((4, 4), np.int64)).any()


def test_a_diagonal_border_has_a_pixel_a_row_and_no_steps() -> None:
    y, x = np.mgrid[:20, :20]
    assert label_borders((x > y).astype(np.uint8)).sum(axis=1)[2:-2].tolist() == [1] * 16


def test_names_of_labels_do_not_matter() -> None:
    labels = np.random.default_rng(0).integers(0, 3, (9, 9))
    assert np.array_equal(label_borders(labels), label_borders(np.array([7, 1, 4])[labels]))


def test_the_outer_ring_touches_the_mask_and_is_outside() -> None:
    mask = np.zeros((6, 7), np.bool_)
    mask[2:4, 2:5] = True
    ring = outer_ring(mask)
    assert ring.sum() == 4 * 5 - 6
    assert not (ring & mask).any()
    assert not outer_ring(np.ones((3, 3), np.bool_)).any()


@pytest.mark.parametrize("labels", [np.zeros((2, 3, 1), np.uint8), np.zeros((2, 3))])
def test_what_is_no_label_map_is_refused(labels: np.ndarray) -> None:
    with pytest.raises(MaskError, match="expected \\(H, W\\) whole numbers"):
        label_borders(labels)
