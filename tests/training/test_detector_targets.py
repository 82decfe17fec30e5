"""Which cell answers for which object, against a slow and obvious reference; and where nobody knows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from anymask.dataset.record import Record
from anymask.model.object_detector import LONGEST_SIDE, STRIDES, cell_centres
from anymask.training.detector_targets import LABELLED_CELL, LabelledBoxes, assign, labelled_boxes
from tests.training.drawn import png

SIZE = 128


def pictured(boxes: object, labelled: object = None) -> LabelledBoxes:
    places = np.zeros((SIZE // LABELLED_CELL,) * 2, np.bool_) if labelled is None else np.asarray(labelled)
    return LabelledBoxes(np.asarray(boxes, np.float32).reshape(-1, 4), places, (SIZE, SIZE))


def slow_owner(x: float, y: float, stride: float, boxes: list[list[float]], radius: float) -> int:
    """The object that a cell answers for, one box after the other."""
    best, owner = float("inf"), -1
    for index, (x0, y0, x1, y1) in enumerate(boxes):
        side = max(x1 - x0, y1 - y0)
        own_stride = next((s for s in STRIDES[:-1] if side <= s * LONGEST_SIDE), STRIDES[-1])
        if stride != own_stride:
            continue
        middle_x, middle_y = (x0 + x1) / 2, (y0 + y1) / 2
        is_inside = x0 < x < x1 and y0 < y < y1
        is_near = abs(x - middle_x) < radius * stride and abs(y - middle_y) < radius * stride
        left, top = x - stride / 2, y - stride / 2
        holds_middle = left <= middle_x < left + stride and top <= middle_y < top + stride
        area = (x1 - x0) * (y1 - y0)
        if ((is_inside and is_near) or holds_middle) and area < best:
            best, owner = area, index
    return owner


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("radius", [0.5, 1.5])
def test_every_cell_answers_for_the_object_that_the_slow_reference_names(seed: int, radius: float) -> None:
    rng = np.random.default_rng(seed)
    # Whole numbers: middles on the lines between cells are met often.
    corner, side = rng.integers(0, SIZE - 2, (12, 2)), rng.integers(1, SIZE, (12, 2))
    boxes = np.concatenate((corner, np.minimum(corner + side, SIZE)), axis=1).astype(np.float32)
    cells = cell_centres(SIZE)
    owner = assign(cells, pictured(boxes), radius).owner
    expected = [slow_owner(*map(float, cell), boxes.tolist(), radius) for cell in cells]
    assert owner.tolist() == expected
    assert max(expected) >= 0


@pytest.mark.parametrize(
    "box", [[0, 0, 3, 3], [SIZE - 3, SIZE - 2, SIZE, SIZE], [0, 0, SIZE, SIZE], [0, 60, SIZE, 61], [127, 0, 128, 128]]
)
def test_the_smallest_and_largest_objects_at_the_borders_have_a_cell(box: list[int]) -> None:
    assert (assign(cell_centres(SIZE), pictured([box]), 1.5).owner == 0).any()


def test_unlabelled_places_are_unknown_and_labelled_ones_negative_unless_an_object_is_there() -> None:
    labelled = np.zeros((SIZE // LABELLED_CELL,) * 2, np.bool_)
    labelled[:, : SIZE // LABELLED_CELL // 2] = True
    cells = cell_centres(SIZE)
    target = assign(cells, pictured([[80, 40, 100, 60]], labelled), 1.5)
    x = cells[:, 0]
    assert target.known[x < SIZE / 2].all()
    right = x > SIZE / 2
    assert torch.equal(target.known[right], target.owner[right] == 0)
    assert (target.owner[right] == 0).any()


def test_a_picture_without_labels_teaches_nothing() -> None:
    target = assign(cell_centres(SIZE), pictured([]), 1.5)
    assert not target.known.any()
    assert (target.owner == -1).all()


def record(labels: np.ndarray) -> Record:
    return Record("one", "drawn", png(np.zeros((*labels.shape, 3), np.uint8)), (png(labels),))


def test_boxes_and_labelled_places_lie_in_the_input_frame_and_the_padding_is_nobodys() -> None:
    labels = np.zeros((50, 100), np.uint8)
    labels[10:20, 40:100] = 1
    found = labelled_boxes(record(labels), 200, min_area_px=1, max_fraction=0.9)
    assert found.boxes_xyxy.tolist() == [[80, 20, 200, 40]]
    assert found.content_hw == (100, 200)
    assert found.labelled.shape == (50, 50)
    rows, columns = np.nonzero(found.labelled)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 9, 20, 49)
    assert found.labelled.sum() == 5 * 30


def test_masks_too_small_or_too_large_are_no_targets_but_their_places_are_labelled() -> None:
    labels = np.full((64, 64), 1, np.uint8)
    labels[:2, :2] = 2
    labels[30:40, 30:40] = 3
    found = labelled_boxes(record(labels), 64, min_area_px=16, max_fraction=0.9)
    assert found.boxes_xyxy.tolist() == [[30, 30, 40, 40]]
    assert found.labelled.all()


def test_the_mirror_image_is_what_a_mirrored_picture_gives() -> None:
    rng = np.random.default_rng(0)
    labels = np.kron(rng.integers(0, 3, (8, 12)), np.ones((8, 8))).astype(np.uint8)
    # Content that fills the input's width, and content that does not.
    for shape in ((64, 96), (96, 64)):
        one = labels if shape == labels.shape else np.ascontiguousarray(labels.T)
        flipped = labelled_boxes(record(one), 96, min_area_px=1, max_fraction=0.9).flipped()
        mirrored = labelled_boxes(record(np.ascontiguousarray(one[:, ::-1])), 96, min_area_px=1, max_fraction=0.9)
        np.testing.assert_array_equal(np.sort(flipped.boxes_xyxy, axis=0), np.sort(mirrored.boxes_xyxy, axis=0))
        np.testing.assert_array_equal(flipped.labelled, mirrored.labelled)
