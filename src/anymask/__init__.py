"""Promptable image segmentation, whole.

>>> import anymask
>>> model = anymask.load("tiny")  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anymask.masks.types import MaskSet
    from anymask.model.weights import load
    from anymask.predict.automatic import AutomaticConfig, segment_everything
    from anymask.predict.predictor import Predictor
    from anymask.prompts.types import Prompt

__all__ = ["AutomaticConfig", "MaskSet", "Predictor", "Prompt", "load", "segment_everything"]

_HOMES = {
    "AutomaticConfig": "anymask.predict.automatic",
    "MaskSet": "anymask.masks.types",
    "Predictor": "anymask.predict.predictor",
    "Prompt": "anymask.prompts.types",
    "load": "anymask.model.weights",
    "segment_everything": "anymask.predict.automatic",
}


def __getattr__(name: str) -> object:
    # Late, so that `anymask --help` and the parts that need no tensors do not wait for torch.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'anymask' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
