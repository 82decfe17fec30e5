"""The paper's numbers."""

import pytest

from anymask.model.image_encoder import VitConfig
from anymask.recipes import recipe
from anymask.training.interactive import plan_rounds
from anymask.training.schedule import rate_at


@pytest.mark.parametrize(
    ("name", "steps", "pictures", "lr", "layer_decay", "drop_path"),
    [
        ("vit_h", 90_000, 256, 8e-4, 0.8, 0.4),
        ("vit_l", 180_000, 128, 4e-4, 0.8, 0.4),
        ("vit_b", 180_000, 128, 8e-4, 0.6, 0.6),
    ],
)
def test_the_papers_numbers(
    name: str, steps: int, pictures: int, lr: float, layer_decay: float, drop_path: float
) -> None:
    config = recipe(name)
    assert (config.steps, config.pictures) == (steps, pictures)
    assert (config.optimizer.lr, config.optimizer.layer_decay) == (lr, layer_decay)
    assert config.optimizer.weight_decay == 0.1
    assert config.optimizer.betas == (0.9, 0.999)
    encoder = config.model.image_encoder
    assert isinstance(encoder, VitConfig)
    assert encoder.drop_path == drop_path
    assert config.masks_a_process == 64
    assert config.data.max_fraction == 0.9


def test_a_mask_has_eleven_rounds_and_the_rate_falls_twice() -> None:
    import numpy as np

    config = recipe("vit_h")
    assert 1 + len(plan_rounds(config.rounds, np.random.default_rng(0))) == 11
    rates = [round(rate_at(step, config.steps, config.optimizer), 6) for step in (250, 59_000, 61_000, 86_000, 87_000)]
    assert rates == [1, 1, 0.1, 0.1, 0.01]


def test_the_ablation_has_one_mask_for_every_prompt() -> None:
    assert recipe("single_output").model.mask_decoder.multimask_outputs == 0
