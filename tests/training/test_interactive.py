"""The simulated session against the paper's description, step by step."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from anymask.errors import ConfigError
from anymask.model.sam import MaskPrediction, Sam
from anymask.prompts.simulate import ClickConfig
from anymask.prompts.types import BOX_BOTTOM_RIGHT, BOX_TOP_LEFT, FOREGROUND, PADDING, PromptBatch
from anymask.training.interactive import (
    Outcome,
    RoundsConfig,
    first_prompts,
    is_plan_random,
    plan_rounds,
    simulate_each,
    simulate_together,
)
from anymask.training.losses import LossConfig, mask_losses
from tests.training.drawn import small_model


def squares(count: int = 4, size: int = 64) -> np.ndarray:
    masks = np.zeros((count, size, size), bool)
    for index in range(count):
        masks[index, 8 + index : 30 + index, 10 : 24 + 2 * index] = True
    return masks


class Recorder(Sam):
    """A real model that remembers what it was asked."""

    def decode_all(self, prepared, prompts):
        answer = super().decode_all(prepared, prompts)
        self.asked = [*getattr(self, "asked", []), (prompts, answer)]
        return answer


@pytest.fixture
def model() -> Recorder:
    torch.manual_seed(0)
    return Recorder(small_model())


def simulate(model, prepared, masks, rounds, losses, rng) -> Outcome:
    """Of one picture."""
    return simulate_each(model, prepared, [masks], rounds, losses, [rng])[0]


def run(model: Sam, rounds: RoundsConfig, losses: LossConfig | None = None, seed: int = 0) -> float:
    prepared = model.prepare(model.embed(torch.randn(1, 3, 64, 64)))
    rng = np.random.default_rng(seed)
    return float(simulate(model, prepared, squares(), rounds, (losses or LossConfig(), "paper"), rng).loss.detach())


def test_the_papers_eleven_rounds_end_without_a_click_and_start_with_one() -> None:
    for seed in range(50):
        plan = plan_rounds(RoundsConfig(), np.random.default_rng(seed))
        assert len(plan) + 1 == 11
        assert plan[0]
        assert not plan[-1]
        assert plan.count(False) == 2


def test_first_prompts_are_points_inside_or_boxes_near_the_mask() -> None:
    masks = squares(200)
    masks[:] = masks[0]
    points, labels, is_box = first_prompts(masks, ClickConfig(), np.random.default_rng(0))
    assert 70 < is_box.sum() < 130
    for xy, label, box in zip(points, labels, is_box, strict=True):
        if box:
            assert label.tolist() == [BOX_TOP_LEFT, BOX_BOTTOM_RIGHT]
            assert np.abs(xy.ravel() - [10, 8, 24, 30]).max() <= 20
        else:
            assert label.tolist() == [FOREGROUND, PADDING]
            assert masks[0, int(xy[0, 1]), int(xy[0, 0])]


def test_each_round_adds_one_click_and_hands_the_last_logits_back(model: Recorder) -> None:
    run(model, RoundsConfig(clicks=3, mask_only_rounds=2))
    lengths = [prompts.labels.shape[1] for prompts, _ in model.asked]
    assert lengths[0] == 2
    assert lengths[-1] == lengths[-2] == 5  # the last round has no new click
    assert sorted(b - a for a, b in pairwise(lengths)) == [0, 0, 1, 1, 1]
    assert model.asked[0][0].mask_logits is None
    for (_, answer), (prompts, _) in pairwise(model.asked):
        assert prompts.mask_logits is not None
        candidates = answer.logits.detach()
        same = (candidates - prompts.mask_logits).abs().amax((-2, -1)).amin(1)
        assert (same == 0).all()  # one of the answers, unthresholded


def test_an_ambiguous_answer_goes_on_with_the_highest_predicted_iou(model: Recorder) -> None:
    run(model, RoundsConfig(clicks=1, mask_only_rounds=0, prompts=ClickConfig(box_probability=0)))
    (_, first), (second, _) = model.asked
    chosen = 1 + first.iou[:, 1:].argmax(1)
    expected = first.logits[torch.arange(4), chosen].detach()
    assert second.mask_logits is not None
    torch.testing.assert_close(second.mask_logits[:, 0], expected)


def test_new_clicks_are_wrong_before_and_labelled_by_the_truth(model: Recorder) -> None:
    run(model, RoundsConfig(clicks=2, mask_only_rounds=0))
    for (_, answer), (prompts, _) in pairwise(model.asked):
        assert prompts.mask_logits is not None
        shown = torch.nn.functional.interpolate(prompts.mask_logits, (64, 64), mode="bilinear")[:, 0] > 0
        for index, truth in enumerate(squares()):
            x, y = prompts.points_xy[index, -1].int().tolist()
            assert prompts.labels[index, -1].item() == int(truth[y, x])
            assert bool(shown[index, y, x]) != bool(truth[y, x]) or np.array_equal(shown[index].numpy(), truth)
        assert answer.logits.requires_grad


def slow_loss(asked: list[tuple[PromptBatch, MaskPrediction]], config: LossConfig) -> float:
    """Mean over masks of the lowest of three (first point) or the single mask's loss and the IoU's; over rounds."""
    total = 0.0
    soft = torch.nn.functional.avg_pool2d(torch.from_numpy(squares()).float()[:, None], 4)
    for number, (_, answer) in enumerate(asked):
        for k in range(4):
            costs, ious = [], []
            for m in range(4):
                logits = answer.logits[k : k + 1, m : m + 1].detach()
                costs.append(mask_losses(logits, soft[k : k + 1], config, "paper").item())
                guess, truth = logits[0, 0] > 0, soft[k, 0] > 0.5
                actual = (guess & truth).sum() / (guess | truth).sum().clamp(min=1)
                ious.append(((answer.iou[k, m] - actual) ** 2).item())
            first = number == 0
            total += (min(costs[1:]) + sum(ious[1:]) / 3 if first else costs[0] + ious[0]) / 4
    return total


def test_the_loss_equals_a_slow_sum_over_rounds_and_masks(model: Recorder) -> None:
    points_only = RoundsConfig(clicks=2, mask_only_rounds=1, prompts=ClickConfig(box_probability=0))
    loss = run(model, points_only)
    assert loss == pytest.approx(slow_loss(model.asked, LossConfig()), rel=1e-4)


def test_only_the_mask_of_lowest_loss_gets_gradient(model: Recorder) -> None:
    prepared = model.prepare(model.embed(torch.randn(1, 3, 64, 64)))
    rounds = RoundsConfig(clicks=0, mask_only_rounds=0, prompts=ClickConfig(box_probability=0))
    outcome = simulate(
        model, prepared, squares(), rounds, (LossConfig(iou_weight=0), "paper"), np.random.default_rng(0)
    )
    model.asked[0][1].logits.retain_grad()
    outcome.loss.backward()
    gradient = model.asked[0][1].logits.grad
    assert gradient is not None
    assert (gradient.abs().amax((-2, -1)) > 0).sum(1).tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "change",
    [
        {"box_output": "both"},
        {"box_output": "multi"},
        {"point_output": "both"},
        {"point_output": "single"},
        {"clicks": 1},
        {"mask_only_rounds": 1},
    ],
)
def test_every_open_point_of_the_rounds_changes_the_loss(change: dict[str, object]) -> None:
    losses = []
    for rounds in (
        RoundsConfig(clicks=2, mask_only_rounds=0),
        RoundsConfig(**({"clicks": 2, "mask_only_rounds": 0} | change)),
    ):
        torch.manual_seed(0)
        losses.append(run(Sam(small_model()), rounds))
    assert losses[0] != losses[1]


@pytest.mark.parametrize("field", [{"clicks": -1}, {"logit_limit": 0.0}])
def test_bad_fields_are_refused_by_name(field: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(field))):
        RoundsConfig(**field)


def test_a_mask_of_one_pixel_gives_finite_losses(model: Recorder) -> None:
    masks = np.zeros((1, 64, 64), bool)
    masks[0, 33, 7] = True
    prepared = model.prepare(model.embed(torch.randn(1, 3, 64, 64)))
    outcome = simulate(model, prepared, masks, RoundsConfig(), (LossConfig(), "balanced"), np.random.default_rng(0))
    assert torch.isfinite(outcome.loss)


def test_a_model_without_ambiguous_masks_learns_its_one_mask() -> None:
    torch.manual_seed(0)
    config = small_model()
    model = Sam(replace(config, mask_decoder=replace(config.mask_decoder, multimask_outputs=0)))
    assert run(model, RoundsConfig(clicks=1, mask_only_rounds=1)) > 0
    prompts = PromptBatch(torch.tensor([[[8.0, 8.0], [0.0, 0.0]]]), torch.tensor([[1, -1]]))
    answer = model.decode(model.prepare(model.embed(torch.randn(1, 3, 64, 64))), prompts, multimask=True)
    assert answer.logits.shape[:2] == answer.iou.shape == (1, 1)


def test_pictures_together_learn_what_they_learn_one_by_one(model: Recorder) -> None:
    """Boxes without noise and no clicks: nothing is drawn, so that the losses and gradients must be the same."""
    rounds = RoundsConfig(
        clicks=0, mask_only_rounds=1, prompts=ClickConfig(box_probability=1.0, box_noise_share=0.0), box_output="both"
    )
    images = torch.randn(3, 3, 64, 64)
    targets = [squares(4), squares(2), squares(3)[::-1].copy()]
    losses, rngs = (LossConfig(), "normalised"), [np.random.default_rng(index) for index in range(3)]

    total, tell = simulate_together(model, model.embed(images), targets, rounds, losses, rngs, fill_to=5)
    total.backward()
    together = {
        name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None
    }
    outcomes = tell()
    assert len(model.asked[0][0].labels) == 10  # nine masks and one that does not count

    model.zero_grad()
    embedding = model.embed(images)
    each = [
        simulate(model, model.prepare(embedding[index]), targets[index], rounds, losses, rngs[index])
        for index in range(3)
    ]
    sum(outcome.loss for outcome in each).backward()
    for outcome, expected in zip(outcomes, each, strict=True):
        torch.testing.assert_close(outcome.loss, expected.loss.detach())
        np.testing.assert_allclose(outcome.first_iou, expected.first_iou)
        np.testing.assert_allclose(outcome.last_iou, expected.last_iou)
        assert outcome.is_box.all()
        assert not outcome.loss.requires_grad
    alone = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert together.keys() == alone.keys()
    for name, grad in alone.items():
        torch.testing.assert_close(together[name], grad, rtol=1e-3, atol=1e-5, msg=name)


def test_pictures_prompted_at_once_are_prompted_and_learn_as_one_by_one(model: Recorder) -> None:
    rounds = RoundsConfig(clicks=2, mask_only_rounds=1, prompts=ClickConfig(centre_probability=0.3))
    targets = [squares(4), squares(2), squares(3)[::-1].copy()]
    losses = LossConfig(), "normalised"
    embedding = model.embed(torch.randn(3, 3, 64, 64)).map(torch.Tensor.detach)

    prepared = model.prepare_several(embedding, [4, 2, 3])
    generators = [np.random.default_rng(index) for index in range(3)]
    at_once = simulate_each(model, prepared, targets, rounds, losses, generators)
    sum(outcome.loss for outcome in at_once).backward()
    grads = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    asked = model.asked
    model.zero_grad()
    model.asked = []
    alone = [
        simulate(model, model.prepare(embedding[index]), targets[index], rounds, losses, np.random.default_rng(index))
        for index in range(3)
    ]
    sum(outcome.loss for outcome in alone).backward()

    assert len(asked) == 4
    for index, (prompts, _) in enumerate(asked):
        each = [model.asked[4 * picture + index][0] for picture in range(3)]
        assert torch.equal(prompts.points_xy, torch.cat([one.points_xy for one in each]))
        assert torch.equal(prompts.labels, torch.cat([one.labels for one in each]))
    for one, other in zip(at_once, alone, strict=True):
        torch.testing.assert_close(one.loss, other.loss)
        torch.testing.assert_close(one.first_logits, other.first_logits, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(one.first_iou, other.first_iou)
        np.testing.assert_allclose(one.last_iou, other.last_iou)
        np.testing.assert_array_equal(one.is_box, other.is_box)
    for name, p in model.named_parameters():
        if p.grad is not None:
            torch.testing.assert_close(grads[name], p.grad, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize("rounds", [RoundsConfig(), RoundsConfig(mask_only_rounds=1), RoundsConfig(clicks=0)])
def test_a_plan_is_random_when_it_differs_between_generators(rounds: RoundsConfig) -> None:
    plans = {tuple(plan_rounds(rounds, np.random.default_rng(seed))) for seed in range(30)}
    assert is_plan_random(rounds) == (len(plans) > 1)
