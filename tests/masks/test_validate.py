from __future__ import annotations

import numpy as np
import pytest

from anymask.errors import MaskError
from anymask.masks.validate import (
    MAX_PIXELS,
    MAX_SIDE,
    check_expected_size,
    check_mask,
    check_masks,
    check_same_size,
    check_size,
)


@pytest.mark.parametrize("size", [[3, 4], (3, 4), (np.int32(3), np.uint8(4)), np.array([3, 4])])
def test_two_whole_numbers_of_any_kind_are_a_size(size: object) -> None:
    height, width = check_size(size)
    assert (height, width) == (3, 4)
    assert type(height) is int
    assert type(width) is int


def test_the_largest_sizes_are_taken() -> None:
    assert check_size([2**14, 2**14]) == (2**14, MAX_PIXELS // 2**14)
    assert check_size([1, MAX_SIDE]) == (1, MAX_SIDE)


@pytest.mark.parametrize(
    "size",
    [
        None,
        7,
        "34",
        b"34",
        {3, 4},
        {"h": 3, "w": 4},
        [],
        [3],
        [3, 4, 5],
        [3, None],
        [3, 4.0],
        [3, "4"],
        [3, True],
        [3, [4]],
        [0, 4],
        [-3, 4],
        [1, MAX_SIDE + 1],
        [2**14 + 1, 2**14],
        [10**5000, 4],
        np.array([3.0, 4.0]),
        np.zeros((3, 4)),
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_anything_else_is_no_size_and_the_message_is_short(size: object) -> None:
    with pytest.raises(MaskError, match="size is") as caught:
        check_size(size)
    assert len(str(caught.value)) < 300


def test_a_mask_must_have_the_size_of_its_picture_when_that_is_known() -> None:
    check_expected_size((3, 4), None)
    check_expected_size((3, 4), (3, 4))
    with pytest.raises(MaskError, match=r"3 x 4 \(height x width\) but the picture is 4 x 3"):
        check_expected_size((3, 4), (4, 3))


def test_masks_used_together_must_share_one_size() -> None:
    assert check_same_size([(3, 4), (3, 4)]) == (3, 4)
    with pytest.raises(MaskError, match="got 3 x 4, 5 x 4"):
        check_same_size([(3, 4), (5, 4), (3, 4)])
    with pytest.raises(MaskError, match="no mask at all"):
        check_same_size([])


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32])
def test_boolean_and_whole_number_arrays_are_masks(dtype: type) -> None:
    mask = np.array([[0, 1, 0]], dtype)
    assert check_mask(mask).tolist() == [[False, True, False]]
    assert check_masks(mask[None]).dtype == np.bool_
    assert check_masks(np.zeros((0, 2, 3), dtype)).shape == (0, 2, 3)


@pytest.mark.parametrize("value", [np.zeros((2, 2)), np.zeros((2, 2), "U1"), [[0.5]], np.zeros((2, 2), object)])
def test_logits_and_other_kinds_are_no_masks(value: object) -> None:
    with pytest.raises(MaskError, match="threshold logits or probabilities first"):
        check_mask(value)


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (0, 3), (3, 0)])
def test_a_mask_has_two_axes_and_a_pixel(shape: tuple[int, ...]) -> None:
    with pytest.raises(MaskError, match=r"expected \(H, W\)"):
        check_mask(np.zeros(shape, bool))
