"""The training algorithm: a sequence of prompts for each true mask, every answer supervised.

Source: paper appendix A, "Training algorithm": a point or a noisy box first, then clicks from the error region together
with the last logits, and rounds with the last logits alone. What the paper leaves open is a field of `RoundsConfig`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from anymask.errors import ConfigError
from anymask.masks.overlap import iou_per_mask
from anymask.model.embedding import ImageEmbedding
from anymask.model.mask_decoder import PreparedImage
from anymask.model.sam import MaskPrediction, Sam
from anymask.prompts.simulate import ClickConfig, error_click, random_box, random_point
from anymask.prompts.types import BOX_BOTTOM_RIGHT, BOX_TOP_LEFT, FOREGROUND, PADDING, PromptBatch
from anymask.training.batch_prompts import BatchAnnotator, Draws
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


def is_plan_random(config: RoundsConfig) -> bool:
    """Whether what `plan_rounds` gives depends on the generator."""
    return config.mask_only_rounds > 1 and config.clicks > 0


def simulate_each(
    model: Sam,
    prepared: PreparedImage,
    targets: Sequence[Masks],
    rounds: RoundsConfig,
    losses: tuple[LossConfig, MaskLoss],
    rngs: Sequence[np.random.Generator],
) -> list[Outcome]:
    """Run the prompt rounds for the true masks of one or more pictures, in one pass of the decoder a round.

    `targets` are (K, S, S) for each picture, of any K, all non-empty, S the input size; `rngs` one generator a picture.
    `prepared` holds the picture of every mask (`Sam.prepare_several`), or the only picture. To rounding the outcomes
    are those of one picture after the other; for several, the rounds' plan must not be random (`is_plan_random`).
    """
    assert len(targets) == 1 or not is_plan_random(rounds)
    device, counts = prepared.embedding.main.device, [len(masks) for masks in targets]
    each = [_CarefulAnnotator(masks, rounds.prompts, rng, device) for masks, rng in zip(targets, rngs, strict=True)]
    soft = _soften(torch.from_numpy(np.concatenate(targets)).to(device))
    played = _play(model, prepared, soft, _Annotators(each), (rounds, rngs[0]), losses)
    columns = (played.losses, played.first_iou.cpu(), played.last_iou.cpu(), played.first_logits)
    return [
        Outcome(loss.mean(), first.numpy(), last.numpy(), annotator.is_box.cpu().numpy(), logits)
        for annotator, loss, first, last, logits in zip(
            each, *(torch.split(column, counts) for column in columns), strict=True
        )
    ]


def simulate_together(
    model: Sam,
    embedding: ImageEmbedding,
    targets: Sequence[Masks],
    rounds: RoundsConfig,
    losses: tuple[LossConfig, MaskLoss],
    rngs: Sequence[np.random.Generator],
    *,
    fill_to: int = 1,
) -> tuple[Tensor, Callable[[], list[Outcome]]]:
    """`simulate_each` for all B pictures of `embedding`, with prompts drawn on the device. Returns the sum of the
    pictures' losses, to run one backward pass from, and what tells their outcomes (losses without gradients): called
    after that, so that the device has work while it is waited for. The masks are filled up to a multiple of `fill_to`
    with some that do not count. Where the rounds without a click come is drawn for all by the first generator.
    """
    device, counts = embedding.main.device, [len(masks) for masks in targets]
    rest = -sum(counts) % fill_to
    numbers = zip([*counts, rest], [*rngs, np.random.default_rng(0)], strict=True)
    draws = [Draws.of(k, rounds.clicks, rounds.prompts, rng) for k, rng in numbers]
    true = torch.empty((sum(counts) + rest, *targets[0].shape[1:]), dtype=torch.bool, device=device)
    for part, masks in zip(torch.split(true, [*counts, rest]), [*targets, targets[0][:1].repeat(rest, 0)], strict=True):
        part.copy_(torch.from_numpy(masks), non_blocking=True)
    annotator = BatchAnnotator(true, rounds.prompts, Draws.join(draws, device))
    owners = torch.tensor([*np.repeat(np.arange(len(counts)), counts).tolist(), *[0] * rest]).to(device)
    prepared = model.prepare_each(embedding, owners)
    played = _play(model, prepared, _soften(true), annotator, (rounds, rngs[0]), losses)
    shares = torch.tensor([*(1 / count for count in counts for _ in range(count)), *[0.0] * rest], device=device)
    total = (played.losses * shares).sum()

    def tell() -> list[Outcome]:
        numbers = (played.losses.detach(), played.first_iou, played.last_iou, annotator.is_box.float())
        told = torch.stack(numbers).cpu()  # one transfer for all pictures
        ends = pairwise(np.cumsum([0, *counts]).tolist())
        return [_outcome(told[:, first:last], played.first_logits[first:last]) for first, last in ends]

    return total, tell


def _outcome(told: Tensor, first_logits: Tensor) -> Outcome:
    """From (4, K) losses, first and last IoUs and 1 for a box."""
    losses, first_iou, last_iou, is_box = told
    return Outcome(losses.mean(), first_iou.numpy(), last_iou.numpy(), is_box.numpy() > 0, first_logits)


class _Annotator(Protocol):
    """Who prompts for K masks."""

    is_box: Tensor
    """(K,) bool: whether the first prompt is a box."""

    def first(self) -> tuple[Tensor, Tensor]:
        """(K, N, 2) points and (K, N) labels of the first prompt."""
        ...

    def click(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """The same with one click more, from the last answer's (K, 1, S/4, S/4) logits."""
        ...


class _CarefulAnnotator:
    """Mask by mask, to the pixel."""

    def __init__(
        self, targets: Masks, config: ClickConfig, rng: np.random.Generator, device: torch.device | str
    ) -> None:
        self.targets, self.config, self.rng, self.device = targets, config, rng, device
        self._points, self._labels, is_box = first_prompts(targets, config, rng)
        self.is_box = torch.from_numpy(is_box).to(device)

    def first(self) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(self._points).to(self.device), torch.from_numpy(self._labels).to(self.device)

    def click(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        self._points, self._labels = _add_clicks(
            self._points, self._labels, logits, self.targets, self.config, self.rng
        )
        return self.first()


class _Annotators:
    """Several at once, each with masks of its own."""

    def __init__(self, each: Sequence[_Annotator]) -> None:
        self.each = each
        self.is_box = torch.cat([one.is_box for one in each])

    def first(self) -> tuple[Tensor, Tensor]:
        return _join([one.first() for one in self.each])

    def click(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        parts = torch.split(logits, [len(one.is_box) for one in self.each])
        return _join([one.click(part) for one, part in zip(self.each, parts, strict=True)])


def _join(prompts: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    points, labels = zip(*prompts, strict=True)
    return torch.cat(points), torch.cat(labels)


@dataclass(frozen=True, slots=True, eq=False)
class _Played:
    """What the rounds of K masks gave; see `Outcome`."""

    losses: Tensor
    """(K,) summed over rounds."""
    first_iou: Tensor
    last_iou: Tensor
    first_logits: Tensor


def _soften(targets: Tensor) -> Tensor:
    """(K, S, S) masks -> (K, 1, S/4, S/4) shares of the cells of the low-res grid."""
    return F.avg_pool2d(targets.to(torch.float32)[:, None], 4)


def _play(
    model: Sam,
    prepared: PreparedImage,
    soft: Tensor,
    annotator: _Annotator,
    plan: tuple[RoundsConfig, np.random.Generator],
    losses: tuple[LossConfig, MaskLoss],
) -> _Played:
    """The rounds; the losses are summed up, so that one backward pass goes over all of them."""
    rounds, rng = plan
    supervise = _Supervision(losses[0], losses[1], rounds)
    points, labels = annotator.first()
    logits: Tensor | None = None
    total = soft.new_zeros(len(soft))
    rows = torch.arange(len(soft), device=soft.device)
    seen: list[tuple[Tensor, Tensor]] = []
    for index, new_click in enumerate([True, *plan_rounds(rounds, rng)]):
        if index > 0 and new_click:
            assert logits is not None
            points, labels = annotator.click(logits)
        answer = model.decode_all(prepared, PromptBatch(points, labels, logits))
        loss, chosen, ious = supervise(answer, soft, annotator.is_box, first=index == 0)
        total = total + loss
        logits = answer.logits.detach()[rows, chosen][:, None].float().clamp(-rounds.logit_limit, rounds.logit_limit)
        seen.append((ious[rows, chosen], logits[:, 0]))
    return _Played(total, seen[0][0], seen[-1][0], seen[0][1])


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
        self, answer: MaskPrediction, soft: Tensor, box: Tensor, *, first: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """((K,) losses, (K,) mask that goes on, (K, 1 + M) actual IoUs) of one round."""
        logits, predicted = answer.logits.float(), answer.iou.float()
        costs = mask_losses(logits, soft, self.config, self.kind)  # (K, 1 + M), single-mask token first
        with torch.no_grad():
            actual = iou_per_mask(logits, (soft > 0.5).expand_as(logits))
        iou_cost = iou_losses(predicted, actual)
        if logits.shape[1] == 1:  # a model without ambiguous masks
            only = costs[:, 0] + self.config.iou_weight * iou_cost[:, 0]
            return only, torch.zeros(len(costs), dtype=torch.int64, device=soft.device), actual
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
        return per_prompt, goes_on, actual
