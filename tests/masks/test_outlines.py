from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given

from anymask.masks.outlines import outlines
from tests.masks.drawn import Mask, blobs, masks


def doubled_area(points: np.ndarray) -> int:
    """Twice the signed area of a closed (K, 2) loop, positive when clockwise on a screen (y down)."""
    x, y = points.T
    return int((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())


@given(masks())
def test_there_is_one_loop_for_each_part_that_holds_together_by_edges(mask: Mask) -> None:
    parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[0] - 1
    assert len(outlines(mask)) == parts


@given(masks())
def test_loops_run_clockwise_and_enclose_as_much_as_the_mask_has(mask: Mask) -> None:
    areas = [doubled_area(loop) for loop in outlines(mask)]
    assert all(area > 0 for area in areas)
    assert sum(areas) == 2 * mask.sum()


@given(masks())
def test_every_step_is_straight_along_a_grid_line_and_goes_somewhere(mask: Mask) -> None:
    for loop in outlines(mask):
        steps = np.abs(np.roll(loop, -1, axis=0) - loop)
        assert (steps.min(axis=1) == 0).all()


def test_a_ring_is_one_loop_with_a_cut_down_to_its_hole() -> None:
    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    (loop,) = outlines(ring)
    outside, hole, cut = [[0, 0]], [[1, 1], [1, 2], [2, 2], [2, 1], [1, 1]], [[1, 0]]
    assert loop.tolist() == outside + cut + hole + cut + [[3, 0], [3, 3], [0, 3]]


def test_parts_that_touch_at_a_corner_stay_apart() -> None:
    loops = outlines(np.array([[1, 0], [0, 1]], bool))
    assert [loop.tolist() for loop in loops] == [
        [[0, 0], [1, 0], [1, 1], [0, 1]],
        [[1, 1], [2, 1], [2, 2], [1, 2]],
    ]
    loops = outlines(np.array([[0, 1], [1, 0]], bool))
    assert [loop.tolist() for loop in loops] == [
        [[1, 0], [2, 0], [2, 1], [1, 1]],
        [[0, 1], [1, 1], [1, 2], [0, 2]],
    ]


def test_an_empty_mask_has_no_outline() -> None:
    assert outlines(np.zeros((4, 4), bool)) == []


def test_a_photograph_sized_mask_has_as_many_loops_as_parts() -> None:
    mask = blobs(0, (300, 400), cells=20)
    assert len(outlines(mask)) == cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[0] - 1
