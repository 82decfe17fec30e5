"""A window of a run-length mask is the same pixels as the window of the decoded mask, and goes back to its place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anymask.errors import MaskError
from anymask.masks import rle
from anymask.masks.windows import Window, decode_window, encode_window


@st.composite
def windows(draw: st.DrawFn) -> tuple[tuple[int, int], Window]:
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return (height, width), (x0, y0, draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height)))


@given(case=windows(), seed=st.integers(0, 99), share=st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]))
def test_a_window_of_a_mask_is_cut_out_and_put_back(
    case: tuple[tuple[int, int], Window], seed: int, share: float
) -> None:
    size_hw, window = case
    x0, y0, x1, y1 = window
    mask = np.random.default_rng(seed).random(size_hw) < share
    part = decode_window(rle.encode(mask), window)
    assert np.array_equal(part, mask[y0:y1, x0:x1])
    due = np.zeros(size_hw, bool)
    due[y0:y1, x0:x1] = part
    assert encode_window(part, window, size_hw) == rle.encode(due)


@pytest.mark.parametrize("window", [(0, 0, 6, 3), (2, 0, 2, 3), (-1, 0, 2, 3), (0, 3, 2, 1), (0, 0, 2, 5)])
def test_a_window_that_is_not_inside_the_picture_is_refused(window: Window) -> None:
    with pytest.raises(MaskError, match="not inside a picture of 5 x 4"):
        decode_window(rle.encode(np.zeros((4, 5), bool)), window)
    with pytest.raises(MaskError, match="not inside a picture of 5 x 4"):
        encode_window(np.zeros((3, 2), bool), window, (4, 5))


def test_a_mask_that_is_not_of_the_windows_size_is_refused() -> None:
    with pytest.raises(MaskError, match=r"has shape \(2, 2\)"):
        encode_window(np.zeros((2, 2), bool), (0, 0, 2, 3), (4, 5))
