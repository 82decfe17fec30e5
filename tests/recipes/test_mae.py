"""Pre-training recipes are complete, fit the models that go on from them, and take two real steps at a reduced size."""

from dataclasses import replace
from pathlib import Path

import pytest

from anymask.errors import ConfigError
from anymask.model.image_encoder import VitConfig
from anymask.model.sam import SamConfig
from anymask.recipes import PRETRAIN_RECIPES, pretrain_recipe, recipe
from anymask.runs import RunFolder
from anymask.training.initial import sam_from_mae
from anymask.training.mae import Pretrainer
from tests.training.drawn import drawn_record


@pytest.mark.parametrize("name", sorted(PRETRAIN_RECIPES))
def test_every_recipe_takes_two_real_steps_at_reduced_size(name: str, tmp_path: Path) -> None:
    full = pretrain_recipe(name)
    encoder = replace(full.model.encoder, dim=64, depth=1, heads=2, global_blocks=(), native_size=64)
    model = replace(full.model, encoder=encoder, decoder_dim=48, decoder_depth=1)
    config = replace(full, model=model, steps=2, pictures=2, sheet_every=0)
    run = Pretrainer(config, [drawn_record("x", 1)], RunFolder.create(tmp_path, config))
    run.train()
    assert (run.step, run.skipped) == (2, {"non_finite_steps": 0})


def test_the_small_encoder_fits_the_small_model(tmp_path: Path) -> None:
    config = replace(pretrain_recipe("mae_small"), steps=1, pictures=1, sheet_every=0)
    run = Pretrainer(config, [drawn_record("x", 1)], RunFolder.create(tmp_path, config))
    run.save()
    run.close()
    model = sam_from_mae(tmp_path / "last.safetensors", recipe("small_vit").model)
    assert model.config == recipe("small_vit").model


@pytest.mark.parametrize("name", ["vit_b", "vit_l", "vit_h"])
def test_the_published_encoders_are_the_released_models(name: str) -> None:
    config, released = pretrain_recipe(f"mae_{name}"), SamConfig.named(name).image_encoder
    assert isinstance(released, VitConfig)
    assert replace(config.model.encoder, native_size=1024) == released
    assert config.steps == pytest.approx(1600 * 1_281_167 / 4096, abs=1)


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="mae_small, mae_vit_b"):
        pretrain_recipe("tiny")
