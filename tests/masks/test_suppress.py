from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anymask.errors import MaskError
from anymask.masks import suppress


def plain_nms(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> list[int]:
    """torchvision's CPU kernel, step by step: float32 overlaps against a float64 threshold, none for 0 / 0."""
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    corners = boxes.astype(np.float32)
    area = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    gone: set[int] = set()
    kept = []
    for place, i in enumerate(order):
        if i in gone:
            continue
        kept.append(i)
        for j in order[place + 1 :]:
            low, high = np.maximum(corners[i, :2], corners[j, :2]), np.minimum(corners[i, 2:], corners[j, 2:])
            both = np.prod(np.maximum(high - low, 0), dtype=np.float32)
            union = area[i] + area[j] - both
            if union != 0 and float(both / union) > threshold:
                gone.add(j)
    return kept


def drawn_boxes(rng: np.random.Generator, m: int, spread: int) -> tuple[np.ndarray, np.ndarray]:
    """(M, 4) boxes, some of no size, and (M,) scores with many ties."""
    corner = rng.integers(0, spread, (m, 2))
    boxes = np.concatenate([corner, corner + rng.integers(0, 12, (m, 2))], 1).astype(np.float32)
    return boxes, rng.integers(0, 20, m).astype(np.float32) / 20


@given(st.integers(0, 2**32), st.integers(0, 40), st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.7, 0.9, 1.0]))
def test_the_kept_boxes_are_torchvisions(seed: int, m: int, threshold: float) -> None:
    boxes, scores = drawn_boxes(np.random.default_rng(seed), m, 10)
    assert suppress.nms(boxes, scores, threshold).tolist() == plain_nms(boxes, scores, threshold)


@pytest.mark.parametrize(("m", "spread"), [(500, 15), (500, 400), (129, 30)])
def test_more_boxes_than_one_block_are_kept_as_torchvision_does(m: int, spread: int) -> None:
    boxes, scores = drawn_boxes(np.random.default_rng(m + spread), m, spread)
    assert suppress.nms(boxes, scores, 0.5).tolist() == plain_nms(boxes, scores, 0.5)


def test_an_overlap_of_exactly_the_threshold_is_kept() -> None:
    boxes, scores = [[0, 0, 2, 1], [0, 0, 1, 1]], [0.9, 0.8]
    assert suppress.nms(boxes, scores, 0.5).tolist() == [0, 1]
    assert suppress.nms(boxes, scores, 0.4999).tolist() == [0]


def test_the_threshold_is_compared_in_float64_as_torchvision_does() -> None:
    # The overlap is float32(0.1), a little above 0.1.
    boxes, scores = [[0, 0, 10, 1], [0, 0, 1, 1]], [0.9, 0.8]
    assert float(np.float32(0.1)) > 0.1
    assert suppress.nms(boxes, scores, 0.1).tolist() == [0]


def test_equal_scores_keep_the_order_given() -> None:
    same = np.tile([0, 0, 4, 4], (5, 1))
    assert suppress.nms(same, np.ones(5), 0.5).tolist() == [0]
    apart = same + np.arange(5)[:, None] * 10
    assert suppress.nms(apart, np.ones(5), 0.5).tolist() == [0, 1, 2, 3, 4]


def test_boxes_of_no_size_never_compete() -> None:
    assert suppress.nms(np.zeros((3, 4)), [0.1, 0.3, 0.2], 0.5).tolist() == [1, 2, 0]


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_only_boxes_of_one_group_compete(seed: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    boxes, scores = drawn_boxes(rng, m, 8)
    groups = rng.integers(0, 3, m)
    kept = suppress.batched_nms(boxes, scores, groups, 0.3)
    expected: set[int] = set()
    for group in range(3):
        rows = np.flatnonzero(groups == group)
        expected |= {int(rows[index]) for index in plain_nms(boxes[rows], scores[rows], 0.3)}
    assert set(kept.tolist()) == expected
    assert (np.diff(scores[kept]) <= 0).all()


def test_no_boxes_give_no_indices() -> None:
    kept = suppress.nms(np.zeros((0, 4)), np.zeros(0), 0.5)
    assert kept.shape == (0,)
    assert kept.dtype == np.int64


@pytest.mark.parametrize(
    ("boxes", "scores"),
    [(np.zeros((2, 4)), np.zeros(3)), (np.zeros((2, 5)), np.zeros(2)), (np.zeros(4), np.zeros(1))],
)
def test_shapes_that_do_not_match_are_refused(boxes: np.ndarray, scores: np.ndarray) -> None:
    with pytest.raises(MaskError, match=r"expected \(M, 4\), \(M,\), \(M,\)"):
        suppress.nms(boxes, scores, 0.5)
