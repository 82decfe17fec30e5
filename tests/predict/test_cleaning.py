"""Cleaning in a window equals cleaning the whole picture, in the public generator's order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anymask.masks import rle
from anymask.masks.regions import fill_and_clean
from anymask.masks.sets import set_from_masks
from anymask.predict.cleaning import clean_masks, inclusive_boxes


@given(
    seed=st.integers(0, 1000),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    area=st.sampled_from([1, 3, 8, 30, 200]),
)
@settings(max_examples=200, deadline=None)
def test_a_window_gives_the_same_mask_as_the_whole_picture(seed: int, height: int, width: int, area: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < rng.choice([0.05, 0.5, 0.9])
    # Leave background around it on some sides, so that windows are smaller than the picture.
    mask[: rng.integers(0, height + 1)] = False
    mask[:, rng.integers(0, width + 1) :] = False
    found = clean_masks(set_from_masks(mask[None]), area, 1.0, drop_small=False)
    due, _ = fill_and_clean(mask, area) if mask.any() else (mask, False)
    assert np.array_equal(rle.decode(found.rles[0]), due)
    assert found.area_px[0] == due.sum()
    assert np.array_equal(found.boxes_xyxy, set_from_masks(due[None]).boxes_xyxy)


def test_masks_left_as_they_are_win_over_changed_ones() -> None:
    masks = np.zeros((2, 30, 30), bool)
    masks[:, 5:20, 5:20] = True
    masks[0, 10, 10] = False
    found = clean_masks(set_from_masks(masks, predicted_iou=[0.9, 0.8]), 4, 0.7, drop_small=False)
    assert found.predicted_iou.tolist() == pytest.approx([0.8])


@pytest.mark.parametrize(("drop", "kept"), [(False, 1), (True, 0)])
def test_a_mask_of_specks_keeps_its_largest_or_goes(drop: bool, kept: int) -> None:
    mask = np.zeros((1, 30, 30), bool)
    mask[0, 3:5, 3:6] = True
    mask[0, 20, 20] = True
    found = clean_masks(set_from_masks(mask), 10, 0.7, drop_small=drop)
    assert len(found) == kept
    assert found.area_px.tolist() == [6] * kept


def test_inclusive_boxes_end_on_the_last_pixel() -> None:
    masks = np.zeros((2, 8, 8), bool)
    masks[0, 2:4, 3:7] = True
    assert inclusive_boxes(set_from_masks(masks)).tolist() == [[3, 2, 6, 3], [0, 0, 0, 0]]
