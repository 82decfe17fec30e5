"""Losses against slow, obvious arithmetic."""

import math

import numpy as np
import pytest
import torch

from anymask.errors import ConfigError
from anymask.training.losses import LossConfig, dice_loss, iou_losses, is_finite, mask_losses


def slow_losses(logits: np.ndarray, target: np.ndarray, config: LossConfig, kind: str) -> np.ndarray:
    """The same loss pixel by pixel in Python floats."""
    prompts, masks, height, width = logits.shape
    out = np.zeros((prompts, masks))
    for p in range(prompts):
        for m in range(masks):
            focal, inside, outside, n_in, n_out, overlap, total = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for y in range(height):
                for x in range(width):
                    t, probability = float(target[p, 0, y, x]), 1 / (1 + math.exp(-float(logits[p, m, y, x])))
                    entropy = -(t * math.log(probability) + (1 - t) * math.log(1 - probability))
                    agreement = probability if t == 1 else 1 - probability
                    alpha = config.focal_alpha if t == 1 else 1 - config.focal_alpha
                    focal += alpha * (1 - agreement) ** config.focal_gamma * entropy
                    inside, n_in = inside + entropy * t, n_in + t
                    outside, n_out = outside + entropy * (1 - t), n_out + 1 - t
                    overlap, total = overlap + probability * t, total + probability + t
            pixels = config.focal_weight * focal / (height * width)
            if kind == "balanced":
                pixels = config.balanced_weight * (inside / max(n_in, 1) + outside / max(n_out, 1)) / 2
            if kind == "normalised":
                least = config.normalised_min_share * height * width
                pixels = config.normalised_weight * (inside + outside) / (2 * max(n_in, least))
            out[p, m] = pixels + config.dice_weight * (1 - (2 * overlap + 1) / (total + 1))
    return out


@pytest.mark.parametrize(
    ("kind", "least"), [("paper", 0.1), ("balanced", 0.1), ("normalised", 0.01), ("normalised", 0.5)]
)
def test_mask_losses_equal_the_pixel_by_pixel_sum(kind: str, least: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (2, 3, 5, 7)).astype(np.float32)
    target = (rng.random((2, 1, 5, 7)) < 0.3).astype(np.float32)
    config = LossConfig(
        focal_weight=20,
        focal_alpha=0.3,
        focal_gamma=1.5,
        dice_weight=0.7,
        balanced_weight=2,
        normalised_weight=3,
        normalised_min_share=least,
    )
    fast = mask_losses(torch.from_numpy(logits), torch.from_numpy(target), config, kind)
    np.testing.assert_allclose(fast.numpy(), slow_losses(logits, target, config, kind), rtol=1e-4)


@pytest.mark.parametrize("field", ["focal_weight", "focal_alpha", "focal_gamma", "dice_weight"])
def test_every_paper_weight_changes_the_loss(field: str) -> None:
    logits, target = torch.randn(1, 1, 8, 8), (torch.rand(1, 1, 8, 8) > 0.5).float()
    plain = mask_losses(logits, target, LossConfig(), "paper")
    changed = mask_losses(logits, target, LossConfig(**{field: 0.5}), "paper")
    assert not torch.allclose(plain, changed)


def test_a_perfect_mask_costs_next_to_nothing_and_an_inverted_one_most() -> None:
    target = torch.zeros(1, 1, 16, 16)
    target[..., 4:12, 4:12] = 1
    for kind in ("paper", "balanced", "normalised"):
        right = mask_losses((target - 0.5) * 40, target, LossConfig(), kind)
        wrong = mask_losses((0.5 - target) * 40, target, LossConfig(), kind)
        assert right.item() < 1e-3 < 1 < wrong.item()


def test_dice_of_two_empty_masks_is_zero() -> None:
    assert dice_loss(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)).item() == 0


def test_iou_loss_is_the_squared_error() -> None:
    torch.testing.assert_close(iou_losses(torch.tensor([[0.5]]), torch.tensor([[0.8]])), torch.tensor([[0.09]]))


def test_not_a_number_is_not_finite() -> None:
    assert is_finite(torch.tensor(1.0))
    assert not is_finite(torch.tensor(float("nan")))


def test_a_negative_weight_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"LossConfig\.dice_weight"):
        LossConfig(dice_weight=-1)
