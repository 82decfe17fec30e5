"""Masks as hypothesis draws them, and realistic larger ones, shared by the tests of this folder."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

Mask = npt.NDArray[np.bool_]


def masks(max_side: int = 12) -> st.SearchStrategy[Mask]:
    """(H, W) bool of any content, 1 to `max_side` pixels a side."""
    return hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=max_side))


def mask_stacks(min_masks: int = 1, max_masks: int = 4, max_side: int = 10) -> st.SearchStrategy[Mask]:
    """(M, H, W) bool of any content."""
    sides = st.integers(1, max_side)
    shapes = st.tuples(st.integers(min_masks, max_masks), sides, sides)
    return shapes.flatmap(lambda shape: hnp.arrays(np.bool_, shape))


def blobs(seed: int, size_hw: tuple[int, int], cells: int = 6, level: float = 0.3) -> Mask:
    """(H, W) bool with smooth blobs, holes and parts cut by the border, the same for one seed."""
    coarse = np.random.default_rng(seed).standard_normal((cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, size_hw[::-1], interpolation=cv2.INTER_CUBIC) > level)
