from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anymask.errors import MaskError
from anymask.masks import set_from_masks
from tests.masks.drawn import blobs

MASKS = set_from_masks(np.stack([blobs(seed, (12, 15)) for seed in range(4)]), predicted_iou=[0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize(
    "field", ["area_px", "boxes_xyxy", "predicted_iou", "stability", "points_xy", "crop_boxes_xyxy", "parents"]
)
def test_every_array_must_have_a_row_for_each_mask(field: str) -> None:
    with pytest.raises(MaskError, match=rf"MaskSet\.{field} has shape"):
        replace(MASKS, **{field: np.zeros((3, 7))})


def test_every_mask_must_have_the_size_of_the_picture() -> None:
    with pytest.raises(MaskError, match=r"mask 0 has size \(12, 15\), the picture has \(15, 12\)"):
        replace(MASKS, size_hw=(15, 12))


@pytest.mark.parametrize("index", [[2, 0], np.array([2, 0]), [False, True, True, False], np.array([], np.int64)])
def test_take_gives_the_rows_asked_for_in_that_order(index: object) -> None:
    rows = np.arange(4)[np.asarray(index)]
    taken = MASKS.take(index)
    assert len(taken) == len(rows)
    assert taken.rles == tuple(MASKS.rles[row] for row in rows)
    for field in ("area_px", "boxes_xyxy", "predicted_iou", "crop_boxes_xyxy"):
        assert np.array_equal(getattr(taken, field), getattr(MASKS, field)[rows])


def test_take_drops_the_tree_because_its_indices_would_point_elsewhere() -> None:
    tree = replace(MASKS, parents=np.array([-1, 0, 0, 1]))
    assert tree.take([1, 2]).parents.shape == (0,)
