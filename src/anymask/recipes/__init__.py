"""Complete, named configurations; no logic.

Takes: a name.
Gives: one complete `TrainConfig`.
Next: `cli/` runs it.
"""

from collections.abc import Callable

from anymask.errors import ConfigError
from anymask.recipes.tiny import tiny, tiny_iou, tiny_longer
from anymask.training.promptable import TrainConfig

RECIPES: dict[str, Callable[[], TrainConfig]] = {"tiny": tiny, "tiny_iou": tiny_iou, "tiny_longer": tiny_longer}
"""Every recipe by the name that `anymask train --recipe` takes."""


def recipe(name: str) -> TrainConfig:
    """The configuration of that name.

    Raises: ConfigError for an unknown name, listing the known ones.
    """
    if name not in RECIPES:
        raise ConfigError(f"unknown recipe {name!r}; known are {', '.join(sorted(RECIPES))}")
    return RECIPES[name]()
