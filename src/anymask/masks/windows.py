"""Part of a run-length encoded mask as an array, and back: work on a small mask need not touch a large picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from anymask.errors import MaskError
from anymask.masks.rle import from_edges, to_uncompressed_array
from anymask.masks.types import Rle
from anymask.masks.validate import check_mask

Window = tuple[int, int, int, int]
"""(x0, y0, x1, y1) original pixels, right and bottom edges exclusive."""


def decode_window(rle: Rle, window_xyxy: Window) -> npt.NDArray[np.bool_]:
    """(y1 - y0, x1 - x0) bool: the pixels of the mask inside the window.

    Raises: MaskError when `rle` is malformed or the window is not inside its picture.
    """
    x0, y0, x1, y1 = _check_window(window_xyxy, rle.size_hw)
    height = rle.size_hw[0]
    ends = np.cumsum(to_uncompressed_array(rle))
    inside = np.clip(ends, x0 * height, x1 * height) - x0 * height
    values = np.zeros(len(ends), np.bool_)
    values[1::2] = True
    columns = np.repeat(values, np.diff(inside, prepend=0)).reshape(x1 - x0, height)
    return np.ascontiguousarray(columns[:, y0:y1].T)


def encode_window(mask: npt.ArrayLike, window_xyxy: Window, size_hw: tuple[int, int]) -> Rle:
    """The Rle, in a picture of `size_hw`, of a mask that is (y1 - y0, x1 - x0) `mask` inside the window, empty outside.

    Raises: MaskError when the mask is not of the window's size or the window is not inside the picture.

    >>> encode_window([[1]], (1, 1, 2, 2), (2, 2)).counts
    b'31'
    """
    x0, y0, x1, y1 = _check_window(window_xyxy, size_hw)
    part = check_mask(mask)
    if part.shape != (y1 - y0, x1 - x0):
        raise MaskError(f"the mask has shape {part.shape}, its window {window_xyxy} needs {(y1 - y0, x1 - x0)}")
    framed = np.zeros((part.shape[0] + 2, part.shape[1]), np.bool_)
    framed[1:-1] = part
    rows, columns = np.nonzero(framed[1:] != framed[:-1])
    return from_edges(np.sort((columns + x0) * size_hw[0] + rows + y0), size_hw)


def _check_window(window_xyxy: Window, size_hw: tuple[int, int]) -> Window:
    x0, y0, x1, y1 = window_xyxy
    if not (0 <= x0 < x1 <= size_hw[1] and 0 <= y0 < y1 <= size_hw[0]):
        raise MaskError(f"window {window_xyxy} is not inside a picture of {size_hw[1]} x {size_hw[0]} pixels")
    return window_xyxy
