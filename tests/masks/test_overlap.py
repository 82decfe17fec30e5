from __future__ import annotations

import faster_coco_eval.mask_api_new_cpp as native
import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from anymask.errors import MaskError
from anymask.masks import overlap, rle
from anymask.masks.types import Rle
from tests.masks.drawn import Mask, blobs, mask_stacks, masks


def plain_iou(a: Mask, b: Mask) -> float:
    """The definition, 0 for two empty masks."""
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else 0.0


@given(mask_stacks(min_masks=0), st.integers(0, 2**32))
def test_mask_iou_is_the_definition_for_every_pair(stack: Mask, seed: int) -> None:
    rng = np.random.default_rng(seed)
    other = rng.random((3, *stack.shape[1:])) < 0.5
    expected = np.array([[plain_iou(a, b) for b in other] for a in stack], np.float32).reshape(len(stack), 3)
    np.testing.assert_allclose(overlap.mask_iou(stack, other), expected, rtol=1e-6)
    np.testing.assert_allclose(
        overlap.rle_iou_matrix(rle.encode_batch(stack), rle.encode_batch(other)), expected, rtol=1e-6
    )


@given(mask_stacks(), st.integers(0, 2**32))
def test_pairs_are_the_diagonal_of_the_matrix_and_torch_agrees(stack: Mask, seed: int) -> None:
    other = np.random.default_rng(seed).random(stack.shape) < 0.5
    pairs = overlap.mask_iou_pairs(stack, other)
    np.testing.assert_allclose(pairs, np.diagonal(overlap.mask_iou(stack, other)), rtol=1e-6)
    a, b = torch.from_numpy(stack), torch.from_numpy(other)
    logits = torch.where(a, 0.5, -0.5)
    for truth in (b, b.float(), b.to(torch.uint8) * 255):
        np.testing.assert_allclose(overlap.iou_per_mask(logits, truth).numpy(), pairs, rtol=1e-6)
    np.testing.assert_allclose(overlap.soft_iou(a.float(), b).numpy(), pairs, rtol=1e-6)


def test_masks_of_more_pixels_than_float32_can_count_are_counted_exactly() -> None:
    whole = np.ones((4100, 4096), bool)
    most = whole.copy()
    most[0, :3] = False
    expected = np.float32((whole.size - 3) / whole.size)
    assert expected < 1
    assert overlap.mask_iou(whole, most).tolist() == [[expected]]
    assert overlap.mask_iou(np.stack([whole] * 3), np.stack([most] * 2)).tolist() == [[expected] * 2] * 3
    assert overlap.mask_iou_pairs(whole, most).tolist() == [expected]


def test_iou_per_mask_thresholds_and_broadcasts() -> None:
    logits = torch.tensor([[[0.2, 0.8]], [[0.8, 0.8]]])  # (2, 1, 2)
    target = torch.tensor([[False, True]])  # (1, 2)
    assert overlap.iou_per_mask(logits, target, 0.5).tolist() == [1.0, 0.5]
    assert overlap.iou_per_mask(logits, target).tolist() == [0.5, 0.5]


def test_two_empty_masks_have_iou_zero_everywhere() -> None:
    empty = np.zeros((1, 3, 3), bool)
    nothing = torch.zeros(1, 3, 3)
    assert overlap.mask_iou(empty, empty).tolist() == [[0]]
    assert overlap.mask_iou_pairs(empty, empty).tolist() == [0]
    assert overlap.rle_iou_matrix(rle.encode_batch(empty), rle.encode_batch(empty)).tolist() == [[0]]
    assert overlap.iou_per_mask(nothing, nothing).tolist() == [0]
    assert overlap.soft_iou(nothing, nothing).tolist() == [0]
    assert overlap.boundary_iou(empty, empty).tolist() == [[0]]


def test_soft_iou_pulls_probabilities_towards_the_target() -> None:
    probabilities = torch.full((1, 2, 2), 0.5, requires_grad=True)
    target = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    overlap.soft_iou(probabilities, target).sum().backward()
    assert probabilities.grad is not None
    assert torch.equal(probabilities.grad > 0, target > 0)


@given(mask_stacks(min_masks=0))
def test_count_is_the_number_of_true_pixels(stack: Mask) -> None:
    assert overlap.count(torch.from_numpy(stack)).tolist() == stack.sum((1, 2)).tolist()
    assert overlap.count(torch.from_numpy(stack)[:, None]).shape == (len(stack), 1)


@pytest.mark.gpu
def test_torch_overlap_on_a_gpu_stays_there_and_is_the_same() -> None:
    logits = torch.randn(4, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    target = logits[:, :1] + 0.5 > 0
    found = overlap.iou_per_mask(logits.cuda(), target.cuda())
    assert found.device.type == "cuda"
    assert torch.equal(found.cpu(), overlap.iou_per_mask(logits, target))


def test_no_masks_give_a_matrix_without_rows() -> None:
    one = [rle.encode(np.ones((2, 2), bool))]
    assert overlap.rle_iou_matrix([], one).shape == (0, 1)
    assert overlap.rle_iou_matrix(one, []).shape == (1, 0)


@pytest.mark.parametrize("measure", [overlap.mask_iou, overlap.mask_iou_pairs, overlap.boundary_iou])
def test_arrays_of_different_sizes_are_refused(measure: object) -> None:
    assert callable(measure)
    with pytest.raises(MaskError, match="got 2 x 3, 3 x 2"):
        measure(np.ones((2, 3), bool), np.ones((3, 2), bool))


def test_run_lengths_of_different_sizes_or_malformed_are_refused() -> None:
    good = rle.encode(np.ones((4, 5), bool))
    with pytest.raises(MaskError, match="got 4 x 5, 5 x 4"):
        overlap.rle_iou_matrix([good], [rle.encode(np.ones((5, 4), bool))])
    with pytest.raises(MaskError, match="too short"):
        overlap.rle_iou_matrix([good], [Rle((4, 5), b"9220")])


def test_pairs_of_different_numbers_are_refused() -> None:
    with pytest.raises(MaskError, match="2 masks against 1"):
        overlap.mask_iou_pairs(np.ones((2, 3, 3), bool), np.ones((3, 3), bool))


@given(masks(max_side=14), st.sampled_from([0.02, 0.1, 0.2]))
def test_the_boundary_is_every_pixel_within_the_band_of_background_or_of_the_border(mask: Mask, share: float) -> None:
    height, width = mask.shape
    band = max(1, round(share * float(np.hypot(height, width))))
    framed = np.pad(mask, band)
    windows = np.lib.stride_tricks.sliding_window_view(framed, (2 * band + 1, 2 * band + 1))
    assert np.array_equal(overlap.boundary(mask, share)[0], mask & ~windows.all((2, 3)))


@pytest.mark.parametrize("seed", range(3))
def test_the_boundary_is_the_one_of_the_coco_library(seed: int) -> None:
    mask = blobs(seed, (150, 211))
    (expected,) = native.toBoundary([rle.to_json(rle.encode(mask))], 0.02)
    assert rle.encode(overlap.boundary(mask)[0]).counts == expected["counts"]


@given(mask_stacks(), st.integers(0, 2**32))
def test_boundary_iou_is_the_iou_of_the_bands(stack: Mask, seed: int) -> None:
    other = np.random.default_rng(seed).random((2, *stack.shape[1:])) < 0.8
    expected = overlap.mask_iou(overlap.boundary(stack), overlap.boundary(other))
    assert np.array_equal(overlap.boundary_iou(stack, other), expected)


def test_boundary_iou_is_stricter_than_iou_on_a_large_object() -> None:
    truth, shifted = np.zeros((200, 200), bool), np.zeros((200, 200), bool)
    truth[40:160, 40:160], shifted[44:164, 44:164] = True, True
    assert overlap.boundary_iou(truth, shifted)[0, 0] < 0.4 < 0.8 < overlap.mask_iou(truth, shifted)[0, 0]


@pytest.mark.parametrize("share", [0.0, -1.0, float("nan")])
def test_a_band_of_no_width_is_refused(share: float) -> None:
    with pytest.raises(MaskError, match="dilation_ratio is"):
        overlap.boundary(np.ones((3, 3), bool), share)


@given(masks())
def test_a_mask_that_is_not_empty_agrees_with_itself_fully(mask: Mask) -> None:
    assume(mask.any())
    assert overlap.mask_iou(mask, mask).tolist() == [[1]]
    assert overlap.boundary_iou(mask, mask).tolist() == [[1]]


def test_in_a_crowd_the_share_of_the_answer_inside_counts() -> None:
    crowd, inside = np.zeros((10, 10), np.bool_), np.zeros((10, 10), np.bool_)
    crowd[:, :6], inside[2:4, 4:8] = True, True
    pair = [rle.encode(inside)], [rle.encode(crowd)]
    assert overlap.rle_iou_matrix(*pair, crowd=[True])[0, 0] == 0.5
    assert overlap.rle_iou_matrix(*pair)[0, 0] == pytest.approx(4 / 64)
