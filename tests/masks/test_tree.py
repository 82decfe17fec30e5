"""The tree of wholes and parts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from anymask.errors import MaskError
from anymask.masks.sets import set_from_masks, set_from_rles
from anymask.masks.tree import build_tree


def squares(*boxes: tuple[int, int, int, int]) -> npt.NDArray[np.bool_]:
    masks = np.zeros((len(boxes), 30, 40), bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
        mask[y0:y1, x0:x1] = True
    return masks


def parents(masks: npt.NDArray[np.bool_], share: float = 0.9) -> list[int]:
    return build_tree(set_from_masks(masks), share).parents.tolist()


def test_the_parent_is_the_smallest_mask_that_contains_it() -> None:
    person, shirt, button, tree = (0, 0, 20, 28), (2, 8, 18, 20), (5, 10, 7, 12), (25, 0, 40, 30)
    assert parents(squares(button, person, tree, shirt)) == [3, -1, -1, 1]


def test_of_equal_masks_the_first_is_the_whole() -> None:
    assert parents(squares((0, 0, 5, 5), (0, 0, 5, 5), (0, 0, 5, 5))) == [-1, 0, 1]


def test_a_mask_that_leaks_out_a_little_is_still_a_part() -> None:
    masks = squares((0, 0, 20, 20), (1, 10, 11, 21))  # 10 of 11 rows inside
    assert parents(masks, 0.9) == [-1, 0]
    assert parents(masks, 0.95) == [-1, -1]


def test_an_empty_mask_and_an_empty_set_have_no_parents() -> None:
    assert parents(squares((0, 0, 9, 9), (3, 3, 3, 3))) == [-1, -1]
    assert build_tree(set_from_rles([], (4, 5))).parents.tolist() == []


@pytest.mark.parametrize("share", [0.5, 0.0, 1.1])
def test_a_share_at_which_both_could_hold_each_other_is_refused(share: float) -> None:
    with pytest.raises(MaskError, match="share is"):
        build_tree(set_from_rles([], (4, 5)), share)
