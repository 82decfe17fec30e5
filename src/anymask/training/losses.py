"""Losses of mask logits and of predicted IoU.

Source: paper section 3 and appendix A (20 x focal + dice, MSE of the IoU); the balanced form is ours, see `LossConfig`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from anymask.errors import ConfigError

MaskLoss = Literal["paper", "balanced", "normalised"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """Weights of the loss terms."""

    focal_weight: float = 20.0
    """Weight of the focal loss (mean over pixels)."""
    focal_alpha: float = 0.25
    """Weight of foreground pixels in the focal loss; not stated in the paper, SAM 2's code uses .25."""
    focal_gamma: float = 2.0
    """Focusing exponent; not stated in the paper, SAM 2's code uses 2."""
    dice_weight: float = 1.0
    """Weight of the dice loss."""
    balanced_weight: float = 1.0
    """Weight of the class-balanced cross-entropy that takes the focal loss's place in phases with mask_loss="balanced":
    foreground and background each count half. Small models leave the all-background plateau with it at once."""
    normalised_weight: float = 1.0
    """Weight of the cross-entropy that takes the focal loss's place in phases with mask_loss="normalised": summed over
    pixels and divided by twice the true area. Every pixel of a mask weighs the same, so that the threshold 0 stays in
    the middle, small masks count as much as large ones, and logits grow large."""
    normalised_min_share: float = 0.02
    """Masks smaller than this share of the input count as this large in it."""
    iou_weight: float = 1.0
    """Weight of the squared error of the predicted IoU."""
    iou_on: Literal["all", "best"] = "all"
    """Which masks' IoU predictions are supervised: all that the prompt returns (SAM 2's code) or the best alone."""

    def __post_init__(self) -> None:
        for name in (
            "focal_weight",
            "focal_gamma",
            "dice_weight",
            "balanced_weight",
            "normalised_weight",
            "iou_weight",
        ):
            if getattr(self, name) < 0:
                raise ConfigError(f"LossConfig.{name} must not be negative, got {getattr(self, name)}")
        if not 0 < self.normalised_min_share <= 1:
            raise ConfigError(f"LossConfig.normalised_min_share must be in (0, 1], got {self.normalised_min_share}")
        if not 0 <= self.focal_alpha <= 1:
            raise ConfigError(f"LossConfig.focal_alpha must be in [0, 1], got {self.focal_alpha}")


def mask_losses(logits: Tensor, target: Tensor, config: LossConfig, kind: MaskLoss) -> Tensor:
    """(P, M, h, w) logits against (P, 1, h, w) targets in [0, 1] -> (P, M) losses."""
    target = target.expand_as(logits)
    probability = logits.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if kind == "paper":
        pixels = config.focal_weight * focal_from(entropy, probability, target, config)
    elif kind == "balanced":
        pixels = config.balanced_weight * balanced_from(entropy, target)
    else:
        pixels = config.normalised_weight * normalised_from(entropy, target, config)
    return pixels + config.dice_weight * dice_loss(probability, target)


def focal_from(entropy: Tensor, probability: Tensor, target: Tensor, config: LossConfig) -> Tensor:
    """(P, M) focal loss, mean over pixels. Soft targets weigh both classes (Lin et al. 2017, arXiv 1708.02002)."""
    agreement = probability * target + (1 - probability) * (1 - target)
    alpha = config.focal_alpha * target + (1 - config.focal_alpha) * (1 - target)
    return (alpha * (1 - agreement) ** config.focal_gamma * entropy).mean((-2, -1))


def balanced_from(entropy: Tensor, target: Tensor) -> Tensor:
    """(P, M) cross-entropy where all foreground together weighs as much as all background together."""
    inside, outside = target.sum((-2, -1)).clamp(min=1.0), (1 - target).sum((-2, -1)).clamp(min=1.0)
    foreground = (entropy * target).sum((-2, -1)) / inside
    background = (entropy * (1 - target)).sum((-2, -1)) / outside
    return (foreground + background) / 2


def normalised_from(entropy: Tensor, target: Tensor, config: LossConfig) -> Tensor:
    """(P, M) cross-entropy summed over pixels, divided by twice the true area."""
    least = config.normalised_min_share * target.shape[-2] * target.shape[-1]
    return entropy.sum((-2, -1)) / (2 * target.sum((-2, -1)).clamp(min=least))


def dice_loss(probability: Tensor, target: Tensor) -> Tensor:
    """(P, M) one minus the dice overlap, smoothed by 1 so that an empty pair is 0 (Milletari et al. 2016)."""
    overlap = (probability * target).sum((-2, -1))
    total = probability.sum((-2, -1)) + target.sum((-2, -1))
    return 1 - (2 * overlap + 1) / (total + 1)


def iou_losses(predicted: Tensor, actual: Tensor) -> Tensor:
    """(P, M) squared error of the predicted IoU."""
    return (predicted - actual) ** 2


def is_finite(loss: Tensor) -> bool:
    """Whether the step may be taken."""
    return bool(torch.isfinite(loss.detach()).all())
