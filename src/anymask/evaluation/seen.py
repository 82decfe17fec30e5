"""Which sets a model was trained on, as far as its files tell."""

from __future__ import annotations

from pathlib import Path

from anymask.model.registry import registry
from anymask.runs import RunFolder

TRAINED = "trained on these pictures"
"""What a column is headed when its model has learned from pictures that it is scored on."""
UNKNOWN = "training pictures unknown"
"""What it is headed when nothing tells."""

_BOTH_SPLITS, _SPLITS_IN_TRAINING = "bsds500", ("bsds500_train", "bsds500_val")


def trained_sets(model: str) -> frozenset[str] | None:
    """The sets that the model called or stored at `model` was trained on; None where nothing tells.

    A name is looked up among the known weights; for a file, the run folder that it lies in tells.
    """
    for entry in registry():
        if entry.name == model:
            return None if entry.trained_on is None else frozenset(entry.trained_on)
    path = Path(model)
    for folder in (path, *path.parents[:2]):
        names = {str(name) for start in RunFolder(folder).starts() for name in start.get("sets", ())}
        if names:
            return frozenset(names)
    return None


def has_seen(trained_on: frozenset[str], set_name: str) -> bool:
    """Whether a model trained on those sets has seen pictures of the set; `bsds500` is its train and val splits.

    >>> has_seen(frozenset({"bsds500"}), "bsds500_val"), has_seen(frozenset({"bsds500"}), "bsds500_test")
    (True, False)
    """
    return set_name in trained_on or (set_name in _SPLITS_IN_TRAINING and _BOTH_SPLITS in trained_on)
