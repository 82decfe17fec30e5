"""Complete, named configurations; no logic.

Takes: a name.
Gives: one complete `TrainConfig`, `PretrainConfig` or `DistillConfig`.
Next: `cli/` runs it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from anymask.errors import ConfigError
from anymask.recipes.distill import distill_tiny
from anymask.recipes.finetune import finetune_all, finetune_decoder, finetune_lora, finetune_neck
from anymask.recipes.mae import mae_small, mae_vit_b, mae_vit_h, mae_vit_l
from anymask.recipes.small import small_vit
from anymask.recipes.tiny import (
    tiny,
    tiny_deeper,
    tiny_iou,
    tiny_large_views,
    tiny_longer,
    tiny_loop_start,
    tiny_single_output,
    tiny_wider,
)
from anymask.recipes.vit import single_output, vit_b, vit_h, vit_l
from anymask.training.distill import DistillConfig
from anymask.training.mae import PretrainConfig
from anymask.training.promptable import TrainConfig


@dataclass(frozen=True, slots=True)
class Recipe:
    """A named configuration and where its weights start when nothing else is said."""

    make: Callable[[], TrainConfig]
    start: str
    """"imagenet", "random" or a model's name."""


RECIPES: dict[str, Recipe] = {
    "tiny": Recipe(tiny, "imagenet"),
    "tiny_longer": Recipe(tiny_longer, "tiny"),
    "tiny_large_views": Recipe(tiny_large_views, "tiny"),
    "tiny_deeper": Recipe(tiny_deeper, "tiny"),
    "tiny_wider": Recipe(tiny_wider, "tiny"),
    "tiny_iou": Recipe(tiny_iou, "tiny"),
    "tiny_loop_start": Recipe(tiny_loop_start, "imagenet"),
    "tiny_single_output": Recipe(tiny_single_output, "tiny"),
    "small_vit": Recipe(small_vit, "random"),
    "vit_b": Recipe(vit_b, "random"),
    "vit_l": Recipe(vit_l, "random"),
    "vit_h": Recipe(vit_h, "random"),
    "single_output": Recipe(single_output, "random"),
    "finetune_decoder": Recipe(finetune_decoder, "tiny"),
    "finetune_neck": Recipe(finetune_neck, "tiny"),
    "finetune_lora": Recipe(finetune_lora, "tiny"),
    "finetune_all": Recipe(finetune_all, "tiny"),
}
"""Every recipe by the name that `anymask train --recipe` takes."""
PRETRAIN_RECIPES: dict[str, Callable[[], PretrainConfig]] = {
    "mae_small": mae_small,
    "mae_vit_b": mae_vit_b,
    "mae_vit_h": mae_vit_h,
    "mae_vit_l": mae_vit_l,
}
"""Every recipe by the name that `anymask pretrain --recipe` takes."""
DISTILL_RECIPES: dict[str, Callable[[], DistillConfig]] = {"distill_tiny": distill_tiny}
"""Every recipe by the name that `anymask distill --recipe` takes."""


def recipe(name: str) -> TrainConfig:
    """The configuration of that name for promptable training.

    Raises: ConfigError for an unknown name, listing the known ones.
    """
    return find_recipe(name).make()


def find_recipe(name: str) -> Recipe:
    """The recipe of that name for promptable training, with its start.

    Raises: ConfigError for an unknown name, listing the known ones.
    """
    if name not in RECIPES:
        raise ConfigError(f"unknown recipe {name!r}; known are {', '.join(sorted(RECIPES))}")
    return RECIPES[name]


def pretrain_recipe(name: str) -> PretrainConfig:
    """The configuration of that name for pre-training.

    Raises: ConfigError for an unknown name, listing the known ones.
    """
    if name not in PRETRAIN_RECIPES:
        raise ConfigError(f"unknown recipe {name!r}; known are {', '.join(sorted(PRETRAIN_RECIPES))}")
    return PRETRAIN_RECIPES[name]()


def distill_recipe(name: str) -> DistillConfig:
    """The configuration of that name for distillation.

    Raises: ConfigError for an unknown name, listing the known ones.
    """
    if name not in DISTILL_RECIPES:
        raise ConfigError(f"unknown recipe {name!r}; known are {', '.join(sorted(DISTILL_RECIPES))}")
    return DISTILL_RECIPES[name]()
