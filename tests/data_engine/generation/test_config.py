from __future__ import annotations

import pytest

from anymask.data_engine.generation.config import GenerateConfig
from anymask.errors import ConfigError
from anymask.runs import from_plain, to_plain


def test_a_config_comes_back_from_json() -> None:
    config = GenerateConfig(preset="paper", points_per_side=12, licence="CC0")
    assert from_plain(GenerateConfig, to_plain(config)) == config


def test_the_preset_is_changed_by_what_is_said_otherwise() -> None:
    automatic = GenerateConfig(preset="paper", points_per_side=12, points_per_batch=8).automatic()
    assert (automatic.points_per_side, automatic.points_per_batch, automatic.crop_layers) == (12, 8, 2)
    assert GenerateConfig(preset="paper").automatic().points_per_side == 32


@pytest.mark.parametrize(
    "changes", [{"preset": "paper"}, {"points_per_side": 8}, {"points_per_batch": 8}, {"threads": 2},
                {"dtype": "bfloat16"}, {"device": "cuda"}, {"max_pixels": 10}],
)  # fmt: skip
def test_every_setting_that_masks_depend_on_changes_the_hash(changes: dict[str, object]) -> None:
    assert GenerateConfig(**changes).sha256() != GenerateConfig().sha256()


@pytest.mark.parametrize("changes", [{"name": "x"}, {"licence": "x"}, {"pictures_per_piece": 2}, {"first_number": 7}])
def test_what_masks_do_not_depend_on_does_not(changes: dict[str, object]) -> None:
    assert GenerateConfig(**changes).sha256() == GenerateConfig().sha256()


def test_provenance_names_the_weights_by_file_and_hash() -> None:
    made = GenerateConfig(model="/a/b/best.safetensors", model_sha256="ff" * 32).provenance()
    assert (made.stage, made.model, made.model_sha256) == ("automatic", "best.safetensors", "ff" * 32)
    assert made.software.startswith("anymask ")


def test_an_unknown_preset_and_a_grid_of_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="unknown preset"):
        GenerateConfig(preset="best")
    with pytest.raises(ConfigError, match="points_per_side"):
        GenerateConfig(points_per_side=0)
