from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anymask.masks import stability
from anymask.masks.overlap import iou_per_mask
from tests.public_sam import import_public_sam

public = import_public_sam().utils.amg


def smooth_logits(seed: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Logits with every sign in each mask."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 3


@given(st.integers(0, 2**31), st.sampled_from([(), (3,), (2, 3), (0,)]), st.floats(-1, 1), st.floats(0.1, 3))
def test_stability_is_the_public_one(seed: int, lead: tuple[int, ...], threshold: float, offset: float) -> None:
    logits = smooth_logits(seed, (*lead, 9, 13))
    expected = public.calculate_stability_score(logits, threshold, offset) if lead else None
    found = stability.stability_score(logits, threshold, offset)
    assert found.shape == lead
    if expected is None:
        expected = public.calculate_stability_score(logits[None], threshold, offset)[0]
    assert torch.equal(found, expected.nan_to_num(0.0))


def test_stability_of_masks_larger_than_one_block_is_the_public_one() -> None:
    logits = smooth_logits(1, (2, 300, 701))
    assert torch.equal(stability.stability_score(logits), public.calculate_stability_score(logits, 0.0, 1.0))


def test_stability_is_the_iou_of_the_masks_at_the_two_thresholds() -> None:
    logits = smooth_logits(2, (5, 20, 20))
    assert torch.equal(stability.stability_score(logits, 0.5, 1.0), iou_per_mask(logits, logits > -0.5, 1.5))


def test_a_mask_below_both_thresholds_scores_zero_not_nan() -> None:
    assert stability.stability_score(torch.full((1, 4, 4), -9.0)).tolist() == [0.0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_score_as_their_float32_values(dtype: torch.dtype) -> None:
    logits = smooth_logits(3, (4, 16, 16)).to(dtype)
    assert torch.equal(stability.stability_score(logits), stability.stability_score(logits.float()))


def test_logits_that_still_carry_a_gradient_or_lie_crosswise_in_memory_are_scored() -> None:
    logits = smooth_logits(4, (3, 10, 12))
    expected = stability.stability_score(logits)
    assert torch.equal(stability.stability_score(logits.clone().requires_grad_()), expected)
    assert torch.equal(stability.stability_score(logits.transpose(1, 2)), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_above_is_a_comparison(dtype: torch.dtype) -> None:
    logits = smooth_logits(5, (2, 3, 7)).to(dtype)
    found = stability.above(logits.requires_grad_(), 0.25)
    assert found.dtype == torch.bool
    assert torch.equal(found, logits > 0.25)


@pytest.mark.gpu
def test_stability_on_a_gpu_stays_there_and_is_the_same() -> None:
    logits = smooth_logits(6, (3, 50, 60))
    found = stability.stability_score(logits.cuda())
    assert found.device.type == "cuda"
    assert np.array_equal(found.cpu().numpy(), stability.stability_score(logits).numpy())
    assert torch.equal(stability.above(logits.cuda()).cpu(), stability.above(logits))
