"""Recipes of promptable training are complete, and each takes two real steps at a reduced size."""

from dataclasses import replace
from pathlib import Path

import pytest

from anymask.errors import ConfigError
from anymask.model.tiny_encoder import TinyEncoderConfig
from anymask.recipes import RECIPES, recipe
from anymask.runs import RunFolder
from anymask.training.initial import imagenet_tiny
from anymask.training.promptable import Trainer
from tests.training.drawn import drawn_record


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_takes_two_real_steps_at_reduced_size(name: str, tmp_path: Path) -> None:
    full = recipe(name)
    phases = tuple(replace(phase, size=64, masks=2) for phase in full.phases)
    config = replace(full, steps=2, pictures=1, phases=phases, sheet_every=0, validate_every=0)
    is_tiny = isinstance(config.model.image_encoder, TinyEncoderConfig)
    initial = imagenet_tiny(config.model) if is_tiny else None
    trainer = Trainer(config, [drawn_record("x", 1)], RunFolder.create(tmp_path, config), initial)
    trainer.train()
    assert trainer.step == 2
    assert trainer.skipped["non_finite_steps"] == 0


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="tiny"):
        recipe("large")
