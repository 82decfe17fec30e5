"""The training algorithm: a sequence of prompts for each true mask, every answer supervised.

Source: paper appendix A, "Training algorithm": a point or a noisy box first, then clicks from the error region together
with the last logits, and rounds with the last logits alone. What the paper leaves open is a field of `RoundsConfig`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from anymask.errors import ConfigError
from anymask.masks.overlap import iou_per_mask
from anymask.model.mask_decoder import PreparedImage
from anymask.model.sam import MaskPrediction, Sam
from anymask.prompts.simulate import ClickConfig, error_click, random_box, random_point
from anymask.prompts.types import BOX_BOTTOM_RIGHT, BOX_TOP_LEFT, FOREGROUND, PADDING, PromptBatch
from anymask.training.losses import LossConfig, MaskLoss, iou_losses, mask_losses

Masks = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class RoundsConfig:
    """The rounds of one mask; the defaults are the paper's 11."""

    clicks: int = 8
    """Rounds with a new click after the first prompt."""
    mask_only_rounds: int = 2
    """Rounds without a new click: the last one, and the others at random places among the clicks."""
    prompts: ClickConfig = field(default_factory=ClickConfig)
    """How clicks and boxes are drawn."""
    box_output: Literal["single", "multi", "both"] = "single"
    """Which masks answer a lone box in training: the single-mask token's (SAM 2's code counts two corners as more than
    one prompt), the ambiguous three, or both supervised."""
    point_output: Literal["single", "multi", "both"] = "multi"
    """Which masks answer a first point in training: the ambiguous three as in the paper, the single-mask token's (the
    ablation without ambiguity), or both supervised."""
    logit_limit: float = 32.0
    """Logits handed back as mask prompts are clamped to this magnitude, as the public inference code does."""

    def __post_init__(self) -> None:
        if self.clicks < 0 or self.mask_only_rounds < 0:
            raise ConfigError("RoundsConfig.clicks and mask_only_rounds must not be negative")
        if self.logit_limit <= 0:
            raise ConfigError(f"RoundsConfig.logit_limit must be positive, got {self.logit_limit}")


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a simulated session gave for the K masks of one picture."""

    loss: Tensor
    """Scalar: mean over masks, summed over rounds."""
    first_iou: npt.NDArray[np.float32]
    """(K,) IoU of the answer to the first prompt (most confident mask), at the low-res grid."""
    last_iou: npt.NDArray[np.float32]
    """(K,) the same after the last round."""
    is_box: npt.NDArray[np.bool_]
    """(K,) whether the first prompt was a box."""
    first_logits: Tensor
    """(K, h, w) the chosen first answer, detached; for contact sheets."""


def plan_rounds(config: RoundsConfig, rng: np.random.Generator) -> list[bool]:
    """True for a round with a new click, False for a mask-only round; the first prompt is not in the list."""
    rounds = [True] * config.clicks
    for extra in range(config.mask_only_rounds):
        # The last round is always mask-only, the others go in at random; never before the first click.
        place = len(rounds) if extra == 0 else int(rng.integers(1, len(rounds) + 1)) if rounds else 0
        rounds.insert(min(place, len(rounds)), False)
    return rounds


def simulate(
    model: Sam,
    prepared: PreparedImage,
    targets: Masks,
    rounds: RoundsConfig,
    losses: tuple[LossConfig, MaskLoss],
    rng: np.random.Generator,
) -> Outcome:
    """Run the prompt rounds for K true masks (K, S, S) of one prepared picture; S is the input size, all non-empty."""
    # The sum of losses is built up here; the caller runs one backward pass over all rounds.
    device = prepared.embedding.main.device
    soft = F.avg_pool2d(torch.from_numpy(targets).to(device, torch.float32)[:, None], 4)  # (K, 1, S/4, S/4)
    points, labels, is_box = first_prompts(targets, rounds.prompts, rng)
    supervise = _Supervision(losses[0], losses[1], rounds)
    logits: Tensor | None = None
    total = soft.new_zeros(())
    first_iou: npt.NDArray[np.float32] | None = None
    first_logits = soft[:, 0]
    chosen_iou = np.zeros(len(targets), np.float32)
    for index, new_click in enumerate([True, *plan_rounds(rounds, rng)]):
        if index > 0 and new_click:
            assert logits is not None
            points, labels = _add_clicks(points, labels, logits, targets, rounds.prompts, rng)
        batch = PromptBatch(torch.from_numpy(points).to(device), torch.from_numpy(labels).to(device), logits)
        answer = model.decode_all(prepared, batch)
        loss, chosen, ious = supervise(answer, soft, is_box, first=index == 0)
        total = total + loss
        rows = torch.arange(len(targets), device=device)
        logits = answer.logits.detach()[rows, chosen][:, None].float().clamp(-rounds.logit_limit, rounds.logit_limit)
        chosen_iou = ious[rows, chosen].cpu().numpy()
        if first_iou is None:
            first_iou, first_logits = chosen_iou, logits[:, 0]
    assert first_iou is not None
    return Outcome(total, first_iou, chosen_iou, is_box, first_logits)


def first_prompts(
    targets: Masks, config: ClickConfig, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Two tokens a mask: a point and padding, or a box's corners. (K, 2, 2) xy, (K, 2) labels, (K,) is it a box."""
    points = np.zeros((len(targets), 2, 2), np.float32)
    labels = np.full((len(targets), 2), PADDING, np.int64)
    is_box = rng.random(len(targets)) < config.box_probability
    for index, mask in enumerate(targets):
        if is_box[index]:
            points[index] = random_box(mask, config, rng).reshape(2, 2)
            labels[index] = BOX_TOP_LEFT, BOX_BOTTOM_RIGHT
        else:
            points[index, 0] = random_point(mask, config, rng)
            labels[index, 0] = FOREGROUND
    return points, labels, is_box


def _add_clicks(
    points: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    logits: Tensor,
    targets: Masks,
    config: ClickConfig,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """One more token a mask, from the error of the last answer; a perfect answer gets a click inside the mask."""
    size = targets.shape[-1]
    predicted = F.interpolate(logits, (size, size), mode="bilinear", align_corners=False)[:, 0].gt(0).cpu().numpy()
    new_points = np.zeros((len(targets), 1, 2), np.float32)
    new_labels = np.zeros((len(targets), 1), np.int64)
    for index, (guess, truth) in enumerate(zip(predicted, targets, strict=True)):
        click = error_click(guess, truth, config, rng) or (random_point(truth, config, rng), FOREGROUND)
        new_points[index, 0], new_labels[index, 0] = click
    return np.concatenate((points, new_points), 1), np.concatenate((labels, new_labels), 1)


class _Supervision:
    """Which of the decoder's masks answer which prompt, and what they cost."""

    def __init__(self, config: LossConfig, kind: MaskLoss, rounds: RoundsConfig) -> None:
        self.config, self.kind, self.rounds = config, kind, rounds

    def __call__(
        self, answer: MaskPrediction, soft: Tensor, is_box: npt.NDArray[np.bool_], *, first: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(scalar loss, (K,) mask that goes on, (K, 1 + M) actual IoUs) of one round."""
        logits, predicted = answer.logits.float(), answer.iou.float()
        costs = mask_losses(logits, soft, self.config, self.kind)  # (K, 1 + M), single-mask token first
        with torch.no_grad():
            actual = iou_per_mask(logits, (soft > 0.5).expand_as(logits))
        box = torch.from_numpy(is_box).to(soft.device)
        iou_cost = iou_losses(predicted, actual)
        if logits.shape[1] == 1:  # a model without ambiguous masks
            only = costs[:, 0] + self.config.iou_weight * iou_cost[:, 0]
            return only.mean(), torch.zeros(len(costs), dtype=torch.int64, device=soft.device), actual
        multi, single = torch.zeros_like(box), torch.ones_like(box)
        if first:
            multi = torch.where(box, self.rounds.box_output != "single", self.rounds.point_output != "single")
            single = torch.where(box, self.rounds.box_output != "multi", self.rounds.point_output != "multi")
        best = 1 + costs[:, 1:].detach().argmin(1)  # only the mask of lowest loss gets gradient
        rows = torch.arange(len(costs), device=soft.device)
        iou_multi = iou_cost[:, 1:].mean(1) if self.config.iou_on == "all" else iou_cost[rows, best]
        per_prompt = torch.where(single, costs[:, 0] + self.config.iou_weight * iou_cost[:, 0], 0.0)
        per_prompt = per_prompt + torch.where(multi, costs[rows, best] + self.config.iou_weight * iou_multi, 0.0)
        confident = 1 + predicted.detach()[:, 1:].argmax(1)
        goes_on = torch.where(multi & ~(box & single), confident, torch.zeros_like(confident))
        return per_prompt.mean(), goes_on, actual
