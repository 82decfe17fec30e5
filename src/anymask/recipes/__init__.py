"""Complete, named configurations; no logic.

Takes: a name.
Gives: one complete `TrainConfig` or `PretrainConfig`.
Next: `cli/` runs it.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from anymask.errors import ConfigError
from anymask.recipes.mae import mae_small, mae_vit_b, mae_vit_h, mae_vit_l
from anymask.recipes.small import small_vit
from anymask.recipes.tiny import tiny, tiny_iou, tiny_longer
from anymask.training.mae import PretrainConfig
from anymask.training.promptable import TrainConfig

ConfigT = TypeVar("ConfigT")

RECIPES: dict[str, Callable[[], TrainConfig]] = {
    "small_vit": small_vit,
    "tiny": tiny,
    "tiny_iou": tiny_iou,
    "tiny_longer": tiny_longer,
}
"""Every recipe by the name that `anymask train --recipe` takes."""
PRETRAIN_RECIPES: dict[str, Callable[[], PretrainConfig]] = {
    "mae_small": mae_small,
    "mae_vit_b": mae_vit_b,
    "mae_vit_h": mae_vit_h,
    "mae_vit_l": mae_vit_l,
}
"""Every recipe by the name that `anymask pretrain --recipe` takes."""


def recipe(name: str) -> TrainConfig:
    """The configuration of that name for promptable training.

    Raises: ConfigError for an unknown name, listing the known ones.
    """
    return _named(name, RECIPES)


def pretrain_recipe(name: str) -> PretrainConfig:
    """The configuration of that name for pre-training.

    Raises: ConfigError for an unknown name, listing the known ones.
    """
    return _named(name, PRETRAIN_RECIPES)


def _named(name: str, recipes: Mapping[str, Callable[[], ConfigT]]) -> ConfigT:
    if name not in recipes:
        raise ConfigError(f"unknown recipe {name!r}; known are {', '.join(sorted(recipes))}")
    return recipes[name]()
