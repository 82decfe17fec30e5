"""Cleaned masks carry their own areas and boxes, and those that needed no cleaning win."""

from __future__ import annotations

import numpy as np
import pytest

from anymask.masks import rle
from anymask.masks.regions import fill_and_clean
from anymask.masks.sets import set_from_masks
from anymask.predict.cleaning import clean_masks, inclusive_boxes


def test_areas_and_boxes_are_those_of_the_cleaned_masks() -> None:
    rng = np.random.default_rng(0)
    masks = rng.random((6, 30, 40)) < np.linspace(0, 1, 6)[:, None, None]
    found = clean_masks(set_from_masks(masks), 12, 1.0, drop_small=False)
    due = np.stack([fill_and_clean(mask, 12)[0] for mask in masks])
    again = set_from_masks(due)
    assert sorted(found.area_px.tolist()) == sorted(again.area_px.tolist())
    for index, one in enumerate(found.rles):
        (match,) = np.flatnonzero([np.array_equal(rle.decode(one), mask) for mask in due])
        assert found.area_px[index] == again.area_px[match]
        assert np.array_equal(found.boxes_xyxy[index], again.boxes_xyxy[match])


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
