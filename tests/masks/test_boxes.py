from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from anymask.errors import MaskError
from anymask.masks import boxes, rle
from tests.masks.drawn import Mask, mask_stacks, masks
from tests.public_sam import import_public_sam

public = import_public_sam().utils.amg

CORNERS = hnp.arrays(np.int64, st.tuples(st.integers(0, 6), st.just(4)), elements=st.integers(-5, 20))


def ordered(corners: np.ndarray) -> np.ndarray:
    """Boxes whose right and bottom edges are not before the others."""
    return np.concatenate([np.minimum(corners[:, :2], corners[:, 2:]), np.maximum(corners[:, :2], corners[:, 2:])], 1)


@given(mask_stacks(min_masks=0))
def test_boxes_are_the_public_ones_with_right_and_bottom_edges_moved_past_the_last_pixel(stack: Mask) -> None:
    expected = public.batched_mask_to_box(torch.from_numpy(stack)).numpy().astype(np.float32)
    expected[stack.any((1, 2)), 2:] += 1
    assert np.array_equal(boxes.masks_to_boxes(stack), expected)


@given(mask_stacks(min_masks=0))
def test_tensors_arrays_and_run_lengths_give_the_same_boxes(stack: Mask) -> None:
    expected = boxes.masks_to_boxes(stack)
    of_tensor = boxes.masks_to_boxes(torch.from_numpy(stack))
    assert of_tensor.dtype == torch.float32
    assert expected.dtype == np.float32
    assert np.array_equal(of_tensor.numpy(), expected)
    assert np.array_equal(boxes.rles_to_boxes(rle.encode_batch(stack)), expected)
    assert np.array_equal([boxes.mask_to_box(mask) for mask in stack], expected.reshape(-1, 4)[: len(stack)].tolist())


@given(mask_stacks())
def test_the_way_of_other_devices_gives_the_same_boxes(stack: Mask) -> None:
    masks_ = torch.from_numpy(stack)
    (x0, x1), (y0, y1) = boxes._tensor_span(masks_.any(dim=1)), boxes._tensor_span(masks_.any(dim=2))
    assert np.array_equal(torch.stack([x0, y0, x1, y1], dim=1).numpy(), boxes.masks_to_boxes(stack))


@pytest.mark.gpu
def test_boxes_on_a_gpu_stay_there_and_are_the_same() -> None:
    stack = np.random.default_rng(0).random((5, 40, 30)) < 0.01
    found = boxes.masks_to_boxes(torch.from_numpy(stack).cuda())
    assert found.device.type == "cuda"
    assert np.array_equal(found.cpu().numpy(), boxes.masks_to_boxes(stack))


@given(masks())
def test_a_box_holds_the_mask_and_no_smaller_one_does(mask: Mask) -> None:
    x0, y0, x1, y1 = boxes.mask_to_box(mask).astype(int)
    inside = mask[y0:y1, x0:x1]
    assert inside.sum() == mask.sum()
    if mask.any():
        assert inside[0].any()
        assert inside[-1].any()
        assert inside[:, 0].any()
        assert inside[:, -1].any()


def test_an_empty_mask_has_a_box_of_zeros() -> None:
    assert boxes.mask_to_box(np.zeros((3, 4), bool)).tolist() == [0, 0, 0, 0]
    assert boxes.rle_to_box(rle.encode(np.zeros((3, 4), bool))).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("masks_", [np.zeros((2, 2), bool), torch.zeros(2, 2, dtype=torch.bool), np.zeros((1, 2, 2))])
def test_stacks_of_other_shapes_or_types_are_refused(masks_: object) -> None:
    with pytest.raises(MaskError):
        boxes.masks_to_boxes(masks_)


@given(CORNERS)
def test_both_forms_of_a_box_convert_into_each_other(corners: np.ndarray) -> None:
    assert np.array_equal(boxes.xywh_to_xyxy(boxes.xyxy_to_xywh(corners)), corners)


def test_conversion_leaves_what_it_was_given_as_it_was() -> None:
    given_ = np.array([1, 2, 5, 9], np.float32)
    assert boxes.xyxy_to_xywh(given_).tolist() == [1, 2, 4, 7]
    assert boxes.xywh_to_xyxy(given_).tolist() == [1, 2, 6, 11]
    assert given_.tolist() == [1, 2, 5, 9]


def test_boxes_are_cut_to_the_picture() -> None:
    assert boxes.clip([[-3, -1, 7, 9], [1, 2, 3, 4]], (6, 5)).tolist() == [[0, 0, 5, 6], [1, 2, 3, 4]]


def test_area_is_width_times_height_and_nothing_for_an_inverted_box() -> None:
    assert boxes.area([[0, 0, 3, 4], [5, 5, 2, 9], [2, 2, 2, 8]]).tolist() == [12, 0, 0]


@given(CORNERS, CORNERS)
def test_box_iou_is_the_share_of_pixels_in_both(first: np.ndarray, second: np.ndarray) -> None:
    a, b = ordered(first), ordered(second)

    def drawn(box: np.ndarray) -> np.ndarray:
        canvas = np.zeros((26, 26), bool)
        x0, y0, x1, y1 = box + 5
        canvas[y0:y1, x0:x1] = True
        return canvas

    expected = np.zeros((len(a), len(b)), np.float32)
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            both, either = drawn(one) & drawn(other), drawn(one) | drawn(other)
            expected[i, j] = both.sum() / max(1, either.sum())
    np.testing.assert_allclose(boxes.iou_matrix(a, b), expected, rtol=1e-6)
