"""The deterministic clicks of evaluation, against slow obvious searches."""

from __future__ import annotations

import numpy as np
import pytest

from anymask.dataset import read_shards
from anymask.errors import PromptError
from anymask.prompts.clicks import most_interior_point, next_click, squared_depth


def slow_squared_depth(mask: np.ndarray) -> np.ndarray:
    """Every pixel against every pixel that is outside, the ring around the picture included."""
    padded = np.pad(mask, 1)
    outside = np.argwhere(~padded)
    depth = np.zeros(mask.shape, np.int64)
    for row, column in np.argwhere(mask):
        depth[row, column] = np.square(outside - (row + 1, column + 1)).sum(1).min()
    return depth


def blobs(seed: int, shape: tuple[int, int] = (23, 31)) -> np.ndarray:
    """A random mask with regions several pixels deep."""
    coarse = np.random.default_rng(seed).random((6, 6)) > 0.5
    return np.kron(coarse, np.ones((7, 7), bool))[: shape[0], : shape[1]]


@pytest.mark.parametrize("seed", range(12))
def test_depth_is_the_exact_distance_to_the_nearest_outside_pixel(seed: int) -> None:
    mask = blobs(seed)
    np.testing.assert_array_equal(squared_depth(mask), slow_squared_depth(mask))


def test_depth_is_exact_in_a_large_full_picture() -> None:
    depth = squared_depth(np.ones((501, 701), bool))
    rows, columns = np.mgrid[:501, :701]
    to_border = np.minimum(np.minimum(rows, 500 - rows), np.minimum(columns, 700 - columns)) + 1
    np.testing.assert_array_equal(depth, np.square(to_border))


@pytest.mark.parametrize("seed", range(12))
def test_the_interior_point_is_a_deepest_pixel_and_the_first_of_equals(seed: int) -> None:
    mask = blobs(seed)
    depth = slow_squared_depth(mask)
    row, column = np.argwhere(depth == depth.max())[0]
    assert most_interior_point(mask) == (column + 0.5, row + 0.5)


def test_the_picture_border_counts_as_background() -> None:
    mask = np.zeros((9, 9), bool)
    mask[:, :5] = True
    assert most_interior_point(mask) == (2.5, 2.5)


def test_one_pixel_is_its_own_interior() -> None:
    mask = np.zeros((4, 6), bool)
    mask[3, 5] = True
    assert most_interior_point(mask) == (5.5, 3.5)


def test_an_empty_mask_has_no_interior() -> None:
    with pytest.raises(PromptError, match="empty mask"):
        most_interior_point(np.zeros((4, 4), bool))


@pytest.mark.parametrize("seed", range(20))
def test_the_next_click_is_at_the_deepest_error_with_its_label(seed: int) -> None:
    target, predicted = blobs(seed), blobs(seed + 100)
    (x, y), label = next_click(predicted, target)
    row, column = int(y), int(x)
    missed, excess = slow_squared_depth(target & ~predicted), slow_squared_depth(predicted & ~target)
    assert label == int(missed.max() >= excess.max())
    assert (missed if label else excess)[row, column] == max(missed.max(), excess.max())
    assert target[row, column] == bool(label)
    assert predicted[row, column] != bool(label)


def test_a_missed_object_is_clicked_inside_and_an_overgrown_one_outside() -> None:
    target = np.zeros((20, 20), bool)
    target[5:14, 5:14] = True
    assert next_click(np.zeros_like(target), target) == ((9.5, 9.5), 1)
    too_much = np.zeros_like(target)
    too_much[:, :] = True
    _, label = next_click(too_much, target)
    assert label == 0


def test_equal_errors_are_answered_in_the_foreground() -> None:
    target, predicted = np.zeros((9, 20), bool), np.zeros((9, 20), bool)
    target[2:5, 12:15] = True
    predicted[2:5, 2:5] = True
    assert next_click(predicted, target) == ((13.5, 3.5), 1)


def test_a_perfect_answer_is_confirmed_inside_the_target() -> None:
    target = blobs(3)
    assert next_click(target, target) == (most_interior_point(target), 1)


def test_masks_of_two_sizes_are_refused() -> None:
    with pytest.raises(PromptError, match="one size"):
        next_click(np.zeros((3, 4), bool), np.zeros((4, 3), bool))


def test_a_real_region_is_clicked_inside_itself(data_dir) -> None:
    for index, record in enumerate(read_shards([data_dir / "val-davis16_val.tar"])):
        if index == 5:
            break
        target = record.label_maps()[0] == 1
        x, y = most_interior_point(target)
        assert target[int(y), int(x)]
