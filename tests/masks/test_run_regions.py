"""Cleaning on runs gives the pixels that cleaning the decoded mask gives."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anymask.errors import MaskError
from anymask.masks import rle
from anymask.masks.regions import fill_and_clean, largest_region_area
from anymask.masks.run_regions import fill_and_clean_rle
from anymask.masks.types import Rle


def assert_same(mask: npt.NDArray[np.bool_], area_px: float) -> None:
    found, changed, largest = fill_and_clean_rle(rle.encode(mask), area_px)
    due, due_changed = fill_and_clean(mask, area_px)
    assert found == rle.encode(due)
    assert changed == due_changed
    assert largest == largest_region_area(due)


@given(
    seed=st.integers(0, 10_000),
    height=st.integers(1, 25),
    width=st.integers(1, 25),
    share=st.sampled_from([0.0, 0.05, 0.3, 0.5, 0.7, 0.95, 1.0]),
    area_px=st.sampled_from([0, 1, 2, 3, 5, 9, 40, 1000]),
)
def test_noise_is_cleaned_as_the_decoded_mask_is(
    seed: int, height: int, width: int, share: float, area_px: float
) -> None:
    assert_same(np.random.default_rng(seed).random((height, width)) < share, area_px)


@pytest.mark.parametrize("blur", [1.0, 3.0, 8.0])
@pytest.mark.parametrize("area_px", [10, 100, 1000.5])
def test_shapes_are_cleaned_as_the_decoded_mask_is(blur: float, area_px: float) -> None:
    noise = np.random.default_rng(int(blur)).standard_normal((160, 230)).astype(np.float32)
    assert_same(cv2.GaussianBlur(noise, (0, 0), blur) > 0, area_px)


def test_a_spiral_is_one_part() -> None:
    spiral = np.zeros((41, 41), bool)
    x0, y0, x1, y1 = 0, 0, 40, 40
    while x0 < x1:
        spiral[y0, x0 : x1 + 1] = spiral[y0 : y1 + 1, x1] = spiral[y1, x0 + 2 : x1 + 1] = True
        spiral[y0 + 2 : y1 + 1, x0 + 2] = True
        x0, y0, x1, y1 = x0 + 2, y0 + 2, x1 - 2, y1 - 2
    for area_px in (2, 30, 2000):
        assert_same(spiral, area_px)


def test_what_touches_by_a_corner_is_one_part() -> None:
    mask = np.eye(9, dtype=bool)
    assert fill_and_clean_rle(rle.encode(mask), 9)[2] == 9
    assert fill_and_clean_rle(rle.encode(mask[:, ::-1]), 9)[2] == 9


def test_a_malformed_mask_is_refused() -> None:
    with pytest.raises(MaskError):
        fill_and_clean_rle(Rle((4, 4), b"1"), 3)
