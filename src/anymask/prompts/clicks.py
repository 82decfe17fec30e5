"""Where a careful person clicks: the deterministic clicks of evaluation, from masks alone."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from anymask.errors import PromptError
from anymask.masks.boxes import mask_to_box
from anymask.prompts.types import BACKGROUND, FOREGROUND


def squared_depth(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """(H, W) int64: squared distance in pixels from each pixel of `mask` to the nearest pixel outside it, 0 outside.

    Everything beyond the picture's border is outside. Whole numbers, so that two equally deep pixels compare equal.

    >>> squared_depth(np.ones((3, 3), bool)).tolist()
    [[1, 1, 1], [1, 4, 1], [1, 1, 1]]
    """
    padded = np.pad(mask, 1).astype(np.uint8)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    return np.rint(np.square(distance.astype(np.float64))).astype(np.int64)


def _deepest(mask: npt.NDArray[np.bool_]) -> tuple[int, tuple[float, float]]:
    """Squared depth of the deepest pixel, the first of several, and its centre; depth 0 for an empty mask."""
    left, top, right, bottom = (int(side) for side in mask_to_box(mask))
    if left == right:
        return 0, (0.5, 0.5)
    # Just outside of its box everything is outside the mask: depths are the same in the box and in the whole picture.
    depth = squared_depth(mask[top:bottom, left:right])
    row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return int(depth[row, column]), (float(left + column) + 0.5, float(top + row) + 0.5)


def most_interior_point(mask: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """(x, y) of the centre (+.5) of the pixel farthest from everything outside `mask`, the picture's border included;
    original pixels; of several, the first in reading order.

    Raises: PromptError for an empty mask, which has no inside.
    Source: SAM (arXiv 2304.02643) section 7.1: the first click at the maximum of the mask's distance transform.

    >>> most_interior_point(np.ones((3, 5), bool))
    (1.5, 1.5)
    """
    depth, centre = _deepest(mask)
    if depth == 0:
        raise PromptError("an empty mask has no most interior point; leave such targets out")
    return centre


def next_click(predicted: npt.NDArray[np.bool_], target: npt.NDArray[np.bool_]) -> tuple[tuple[float, float], int]:
    """The click that mends `predicted` most: ((x, y) original pixels, label), at the deepest pixel of the error.

    FOREGROUND where the target was missed, BACKGROUND where too much was taken, whichever region is deeper; missed on a
    tie. Without any error the click confirms: foreground at the target's most interior point.

    Raises: PromptError for masks of different sizes, or an empty target that is met without error.
    """
    if predicted.shape != target.shape:
        raise PromptError(f"the prediction is {predicted.shape}, the target {target.shape}; expected one size")
    missed, in_missed = _deepest(target & ~predicted)
    excess, in_excess = _deepest(predicted & ~target)
    if missed == excess == 0:
        return most_interior_point(target), FOREGROUND
    return (in_missed, FOREGROUND) if missed >= excess else (in_excess, BACKGROUND)
