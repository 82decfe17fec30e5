"""Rates, groups and the moving average."""

import numpy as np
import pytest
import torch
from torch import nn

from anymask.errors import ConfigError
from anymask.model.sam import Sam
from anymask.training.schedule import MovingAverage, OptimizerConfig, layers_above, make_optimizer, rate_at, set_rate
from tests.training.drawn import small_model


def test_the_papers_schedule_warms_up_and_drops_twice() -> None:
    config = OptimizerConfig(warmup_steps=250, milestones=(60_000 / 90_000, 86_666 / 90_000))
    rates = {step: rate_at(step, 90_000, config) for step in (0, 124, 249, 59_999, 60_000, 86_665, 86_666)}
    expected = {0: 1 / 250, 124: 0.5, 249: 1, 59_999: 1, 60_000: 0.1, 86_665: 0.1, 86_666: 0.01}
    assert rates == pytest.approx(expected)


def test_cosine_ends_at_zero() -> None:
    config = OptimizerConfig(kind="cosine", warmup_steps=10)
    assert rate_at(10, 110, config) == 1
    assert rate_at(60, 110, config) == pytest.approx(0.5)
    assert rate_at(110, 110, config) == pytest.approx(0)


def test_the_encoder_learns_slower_and_biases_do_not_decay() -> None:
    model = Sam(small_model())
    optimizer = make_optimizer(model, OptimizerConfig(lr=1.0, encoder_lr_factor=0.1, weight_decay=0.5))
    set_rate(optimizer, 0.2)
    found = {}
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            found[names[id(parameter)]] = (round(group["lr"], 6), group["weight_decay"])
    assert len(found) == len(names)
    assert found["image_encoder.stem.conv.weight"] == (0.02, 0.5)
    assert found["image_encoder.stem.conv.bias"] == (0.02, 0.0)
    assert found["mask_decoder.mask_tokens.weight"] == (0.2, 0.0)
    assert found["mask_decoder.transformer.layers.0.mlp.lin1.weight"] == (0.2, 0.5)


def test_a_factor_of_zero_freezes_the_encoder() -> None:
    model = Sam(small_model())
    optimizer = make_optimizer(model, OptimizerConfig(encoder_lr_factor=0))
    trained = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    assert not any(
        id(parameter) in trained or parameter.requires_grad for parameter in model.image_encoder.parameters()
    )


def test_the_average_follows_the_weights_and_swaps_there_and_back() -> None:
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(0)
    average = MovingAverage(model, 0.9)
    expected = 0.0
    for step in range(50):
        with torch.no_grad():
            model.weight.fill_(step)
        average.update(model, step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    average.swap(model)
    np.testing.assert_allclose(model.weight.item(), expected, rtol=1e-5)
    average.swap(model)
    assert model.weight.item() == 49


@pytest.mark.parametrize("field", [{"lr": 0.0}, {"ema_decay": 1.0}, {"clip_norm": -1.0}, {"warmup_steps": -1}])
def test_bad_fields_are_refused_by_name(field: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(field))):
        OptimizerConfig(**field)


def test_a_run_from_weights_alone_warms_up_again_on_the_rate_of_its_step() -> None:
    config = OptimizerConfig(kind="cosine", warmup_steps=10)
    late = [rate_at(step, 110, config, first=60) for step in (60, 64, 69, 80)]
    assert late == pytest.approx(
        [
            rate_at(60, 110, config) * 0.1,
            rate_at(64, 110, config) * 0.5,
            *(rate_at(step, 110, config) for step in (69, 80)),
        ]
    )


@pytest.mark.parametrize(
    ("name", "above"),
    [
        ("image_encoder.neck.0.weight", 0),
        ("mask_decoder.iou_token.weight", 0),
        ("image_encoder.blocks.11.attn.qkv.weight", 1),
        ("image_encoder.blocks.0.mlp.lin1.weight", 12),
        ("image_encoder.pos_embed", 13),
    ],
)
def test_layers_are_counted_from_the_neck_down(name: str, above: int) -> None:
    assert layers_above(name, 12) == above


def test_layer_decay_lowers_the_rate_of_lower_layers_of_the_encoder_alone() -> None:
    model = Sam(small_model())
    optimizer = make_optimizer(model, OptimizerConfig(layer_decay=0.5))
    factors = {id(p): group["factor"] for group in optimizer.param_groups for p in group["params"]}
    named = {name: factors[id(parameter)] for name, parameter in model.named_parameters()}
    assert named["image_encoder.stages.6.0.project.conv.weight"] == 0.5
    assert named["image_encoder.stages.0.0.project.conv.weight"] == 0.5**7
    assert named["image_encoder.stem.conv.weight"] == 0.5**8
    assert named["image_encoder.lateral16.weight"] == named["mask_decoder.iou_token.weight"] == 1.0
    with pytest.raises(ConfigError, match="layer_decay"):
        OptimizerConfig(layer_decay=0.0)
