"""Promptable image segmentation, whole.

>>> import anymask
>>> model = anymask.load("tiny")  # doctest: +SKIP
"""

from importlib import import_module

_HOMES = {"load": "anymask.model.weights"}


def __getattr__(name: str) -> object:
    # Late, so that `anymask --help` and the parts that need no tensors do not wait for torch.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'anymask' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
