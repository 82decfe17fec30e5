"""What every gate of this package checks first: sizes that are sizes, arrays that are masks, one size for all.

The limits here hold for masks that come from outside (files, HTTP, annotation tools); they are far above any picture
this system opens and far below what makes native code fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral

import numpy as np
import numpy.typing as npt

from anymask.errors import MaskError

MAX_PIXELS = 2**28
"""Largest height x width of a mask: 268 million pixels (16384 x 16384)."""
MAX_SIDE = 2**20
"""Largest height or width in pixels; a strip may be long as long as it is not large."""
MAX_COUNTS_BYTES = 2**23
"""Longest compressed counts string that is parsed: 8 MiB, more than twice a 1500 x 2250 checkerboard's."""


def check_size(size_hw: object) -> tuple[int, int]:
    """`size_hw` as two plain integers, height and width in pixels.

    Raises: MaskError when it is not two whole numbers of 1 to MAX_SIDE with at most MAX_PIXELS pixels together.

    >>> check_size([480, 640])
    (480, 640)
    """
    if isinstance(size_hw, np.ndarray):
        size_hw = tuple(size_hw.flat) if size_hw.size == 2 else ()
    if not isinstance(size_hw, Sequence) or isinstance(size_hw, str | bytes) or len(size_hw) != 2:
        raise MaskError(f"size is {shown(size_hw)}, expected two whole numbers: height and width in pixels")
    for side in size_hw:
        if not isinstance(side, Integral) or isinstance(side, bool | np.bool_):
            raise MaskError(f"size is {shown(size_hw)}, expected two whole numbers: height and width in pixels")
    height, width = int(size_hw[0]), int(size_hw[1])
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE and height * width <= MAX_PIXELS):
        raise MaskError(
            f"size is {shown(size_hw)}, expected sides of 1 to {MAX_SIDE} px and at most {MAX_PIXELS} px in all; "
            "check that height and width are the picture's"
        )
    return height, width


def check_expected_size(size_hw: tuple[int, int], expected_hw: tuple[int, int] | None) -> None:
    """Passes when `size_hw` is the picture's size (or none is known).

    Raises: MaskError otherwise.
    """
    if expected_hw is not None and size_hw != tuple(expected_hw):
        raise MaskError(
            f"the mask is {size_hw[0]} x {size_hw[1]} (height x width) but the picture is {expected_hw[0]} x "
            f"{expected_hw[1]}; give the mask that belongs to this picture, at its size"
        )


def check_same_size(sizes_hw: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """The one size that all of `sizes_hw` share.

    Raises: MaskError when they differ or there is none.
    """
    found = set(sizes_hw)
    if len(found) != 1:
        shown = ", ".join(f"{h} x {w}" for h, w in sorted(found)[:4]) or "no mask at all"
        raise MaskError(f"masks of one height and width are needed together, got {shown}; bring them to one size first")
    return found.pop()


def check_mask(mask: object) -> npt.NDArray[np.bool_]:
    """`mask` as (H, W) bool; 0/1 or 0/255 integers are taken too.

    Raises: MaskError for another number of axes, an empty array or a type that is neither bool nor integer.
    """
    return _check_array(mask, 2, "(H, W)")


def check_masks(masks: object) -> npt.NDArray[np.bool_]:
    """`masks` as (M, H, W) bool; M may be 0.

    Raises: MaskError for another number of axes, no pixels, or a type that is neither bool nor integer.
    """
    return _check_array(masks, 3, "(M, H, W)")


def _check_array(value: object, axes: int, layout: str) -> npt.NDArray[np.bool_]:
    array = np.asarray(value)
    if array.dtype != np.bool_ and not np.issubdtype(array.dtype, np.integer):
        raise MaskError(
            f"a mask must be boolean or whole numbers, got {array.dtype}; threshold logits or probabilities first"
        )
    if array.ndim != axes or 0 in array.shape[-2:]:
        raise MaskError(f"a mask array has shape {array.shape}, expected {layout} with at least one pixel")
    check_size(array.shape[-2:])
    if array.dtype == np.bool_:
        return array
    return np.asarray(array != 0)


def shown(value: object) -> str:
    """`value` as a message shows it: what it is, in 80 characters at most, whatever was given.

    >>> shown([3, None, "x" * 3]), shown(10**5000), shown(list(range(9)))
    ("[3, None, 'xxx']", 'a whole number of more than 30 digits', 'list of 9')
    """
    if isinstance(value, Integral) and abs(int(value)) >= 10**30:
        return "a whole number of more than 30 digits"
    if isinstance(value, list | tuple) and len(value) > 4:
        return f"{type(value).__name__} of {len(value)}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(shown(item) for item in value)}]"
    text = repr(value) if isinstance(value, str | bytes | int | float | None | np.generic) else type(value).__name__
    return text if len(text) <= 80 else text[:77] + "..."
