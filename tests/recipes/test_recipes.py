"""Every recipe is complete and takes two real steps at a reduced size."""

from dataclasses import replace
from pathlib import Path

import pytest

from anymask.errors import ConfigError
from anymask.model.image_encoder import VitConfig
from anymask.model.sam import Sam, SamConfig
from anymask.recipes import RECIPES, find_recipe, recipe
from anymask.runs import RunFolder
from anymask.training.initial import imagenet_tiny
from anymask.training.promptable import Trainer
from tests.training.drawn import drawn_record


def reduced(config: SamConfig) -> SamConfig:
    """The same kind of model at a size that takes seconds."""
    encoder = config.image_encoder
    if not isinstance(encoder, VitConfig):
        return config
    small = replace(encoder, dim=32, depth=2, heads=2, global_blocks=(1,), native_size=64)
    return replace(config, image_encoder=small, input_size=64)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_takes_two_real_steps_at_reduced_size(name: str, tmp_path: Path) -> None:
    full = recipe(name)
    model = reduced(full.model)
    phases = tuple(replace(phase, size=64, masks=2) for phase in full.phases)
    config = replace(
        full, model=model, steps=2, pictures=1, phases=phases, precision="float32", sheet_every=0, validate_every=0
    )
    initial = Sam(model) if isinstance(model.image_encoder, VitConfig) else imagenet_tiny(model)
    trainer = Trainer(config, [drawn_record("x", 1)], RunFolder.create(tmp_path, config), initial)
    trainer.train()
    assert trainer.step == 2
    assert trainer.skipped == {"non_finite_steps": 0, "pictures_without_a_mask": 0}


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="tiny"):
        recipe("large")


def test_a_recipe_says_where_its_weights_start() -> None:
    assert find_recipe("tiny").start == "imagenet"
    assert find_recipe("finetune_decoder").start == "tiny"
