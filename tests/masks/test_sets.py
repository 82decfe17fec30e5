from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from anymask.errors import MaskError
from anymask.masks import boxes, rle, set_from_label_map, set_from_masks, set_from_rles, to_label_map, to_layers
from anymask.masks import sets as mask_sets
from anymask.masks.types import Rle
from tests.masks.drawn import Mask, blobs, mask_stacks


@given(mask_stacks())
def test_a_set_measures_area_and_box_of_each_mask(stack: Mask) -> None:
    found = set_from_masks(stack)
    assert np.array_equal(rle.decode_batch(found.rles), stack)
    assert np.array_equal(found.area_px, stack.sum((1, 2)))
    assert np.array_equal(found.boxes_xyxy, boxes.masks_to_boxes(stack))


def test_what_nobody_said_is_nan_and_the_crop_is_the_picture() -> None:
    found = set_from_masks(blobs(0, (7, 9))[None])
    assert np.isnan(found.predicted_iou).all()
    assert np.isnan(found.stability).all()
    assert np.isnan(found.points_xy).all()
    assert found.crop_boxes_xyxy.tolist() == [[0, 0, 9, 7]]


def test_what_is_given_is_kept() -> None:
    encoded = rle.encode_batch(np.ones((1, 4, 5), bool))
    found = set_from_rles(
        encoded, (4, 5), predicted_iou=[0.5], stability=[0.25], points_xy=[[1, 2]], crop_boxes_xyxy=[[0, 1, 2, 3]]
    )
    assert found.predicted_iou.tolist() == [0.5]
    assert found.stability.tolist() == [0.25]
    assert found.points_xy.tolist() == [[1, 2]]
    assert found.crop_boxes_xyxy.tolist() == [[0, 1, 2, 3]]


def test_no_masks_make_an_empty_set_of_the_pictures_size() -> None:
    found = set_from_rles([], (4, 5))
    assert len(found) == 0
    assert found.size_hw == (4, 5)
    assert not to_label_map(found).any()


def test_a_malformed_rle_or_one_of_another_size_is_refused() -> None:
    with pytest.raises(MaskError, match="too short"):
        set_from_rles([Rle((4, 5), b"9220")], (4, 5))
    with pytest.raises(MaskError, match="the picture is 5 x 4"):
        set_from_rles([Rle((4, 5), b"92203")], (5, 4))


def test_a_smaller_mask_shows_on_the_larger_one_whatever_the_order() -> None:
    whole, part = np.ones((3, 4), bool), np.zeros((3, 4), bool)
    part[1, 1:3] = True
    for stack, labels in (([whole, part], (1, 2)), ([part, whole], (2, 1))):
        drawn = to_label_map(set_from_masks(np.stack(stack)))
        assert drawn.dtype == np.uint16
        assert np.array_equal(drawn, np.where(part, labels[1], labels[0]))


def test_of_two_masks_of_one_area_the_first_is_on_top() -> None:
    left, right = np.array([[1, 1, 0]]), np.array([[0, 1, 1]])
    assert to_label_map(set_from_masks(np.stack([left, right]))).tolist() == [[1, 1, 2]]


@given(mask_stacks())
def test_masks_that_do_not_overlap_survive_the_label_map(stack: Mask) -> None:
    apart = stack & (np.cumsum(stack, axis=0) == 1)
    apart = apart[apart.any((1, 2))]
    back = set_from_label_map(to_label_map(set_from_masks(apart))) if len(apart) else set_from_masks(apart)
    assert back.rles == set_from_masks(apart).rles


def test_a_label_map_gives_its_labels_in_rising_order_without_the_background() -> None:
    found = set_from_label_map(np.array([[0, 9, 9], [4, 0, 9]]))
    assert [rle.decode(one).astype(int).tolist() for one in found.rles] == [
        [[0, 0, 0], [1, 0, 0]],
        [[0, 1, 1], [0, 0, 1]],
    ]


@pytest.mark.parametrize("labels", [np.zeros((2, 2)), np.zeros(4, int), np.array([[-1, 2]]), np.zeros((0, 2), int)])
def test_what_is_no_label_map_is_refused(labels: np.ndarray) -> None:
    with pytest.raises(MaskError, match="a label map is"):
        set_from_label_map(labels)


def test_more_masks_than_labels_are_refused() -> None:
    many = set_from_masks(np.ones((1, 1, 1), bool)).take(np.zeros(2**16, np.int64))
    with pytest.raises(MaskError, match="65536 masks do not fit a 16-bit label map"):
        to_label_map(many)


@given(mask_stacks(max_masks=5))
def test_layers_hold_every_mask_whole_whatever_overlaps(stack: Mask) -> None:
    layers = to_layers(set_from_masks(stack))
    assert all(layer.shape == stack.shape[1:] and layer.dtype == np.uint16 for layer in layers)
    for index, mask in enumerate(stack):
        holders = [layer == index + 1 for layer in layers if (layer == index + 1).any()]
        assert len(holders) == int(mask.any())
        assert all(np.array_equal(held, mask) for held in holders)


def test_masks_that_do_not_overlap_share_a_layer_and_parts_lie_behind_their_wholes() -> None:
    whole, part, beside = (np.zeros((4, 6), bool) for _ in range(3))
    whole[:, :4], part[1:3, 1:3], beside[:, 5] = True, True, True
    layers = to_layers(set_from_masks(np.stack([part, whole, beside])))
    assert [sorted(np.unique(layer[layer > 0]).tolist()) for layer in layers] == [[2, 3], [1]]
    assert to_layers(set_from_rles([], (4, 6))) == []


def test_masks_that_overlap_without_end_are_refused_before_they_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mask_sets, "MAX_LAYER_PIXELS", 3 * 20)
    same = set_from_masks(np.ones((1, 4, 5), bool))
    assert len(to_layers(same.take(np.zeros(3, np.int64)))) == 3
    with pytest.raises(MaskError, match="3 label maps of 4 x 5 px do not hold"):
        to_layers(same.take(np.zeros(4, np.int64)))
    with pytest.raises(MaskError, match="65536 masks do not fit 16-bit label maps"):
        to_layers(same.take(np.zeros(2**16, np.int64)))
