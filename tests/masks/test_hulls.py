from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial import ConvexHull

from anymask.masks.hulls import concavity, hull_area
from anymask.masks.rle import encode


@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_the_hull_is_that_of_the_corners_of_all_pixels(mask: np.ndarray) -> None:
    rows, columns = np.nonzero(mask)
    if len(rows) == 0:
        assert hull_area(encode(mask)) == 0
        return
    corners = np.concatenate([np.stack([columns + i, rows + j], axis=1) for i in (0, 1) for j in (0, 1)])
    assert hull_area(encode(mask)) == pytest.approx(ConvexHull(corners).volume)


@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_concavity_is_at_least_nought_and_below_one(mask: np.ndarray) -> None:
    found = concavity(encode(mask))
    assert math.isnan(found) if not mask.any() else -1e-9 <= found < 1


def test_boxes_are_not_concave_and_a_ring_is() -> None:
    ring = np.ones((10, 10), bool)
    ring[2:8, 2:8] = False
    assert concavity(encode(np.ones((5, 7), bool))) == pytest.approx(0)
    assert concavity(encode(ring)) == pytest.approx(0.36)
