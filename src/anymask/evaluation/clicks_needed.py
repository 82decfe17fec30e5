"""How many clicks a mask takes: the measure that stands for a person's work."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anymask.errors import ConfigError
from anymask.evaluation.metrics import Sample
from anymask.evaluation.results import PictureResult


def clicks_needed(curve: Sequence[float], iou: float) -> int:
    """Clicks until the IoU is reached for the first time; all that were given when it never is.

    Source: "number of clicks" (NoC) of the interactive segmentation literature, Xu et al. 2016 (arXiv 1603.04042).

    >>> clicks_needed([0.5, 0.9, 0.8], 0.85), clicks_needed([0.5, 0.6], 0.85)
    (2, 2)
    """
    return next((count for count, value in enumerate(curve, start=1) if value >= iou), len(curve))


def clicks_samples(results: Sequence[PictureResult], iou: float) -> dict[str, Sample]:
    """Per set, by name, the clicks that each mask needs up to `iou`; sets that were not clicked on are left out.

    Raises: ConfigError for an IoU outside (0, 1].
    """
    if not 0 < iou <= 1:
        raise ConfigError(f"clicks are counted up to an IoU in (0, 1], got {iou}")
    values: dict[str, list[int]] = {}
    pictures: dict[str, list[str]] = {}
    for result in sorted(results, key=lambda one: one.picture):
        for target in result.targets:
            if target.clicks is not None:
                values.setdefault(result.set_name, []).append(clicks_needed(target.clicks.curve, iou))
                pictures.setdefault(result.set_name, []).append(result.picture)
    return {name: Sample(np.array(values[name], np.float64), tuple(pictures[name])) for name in sorted(values)}


def mean_clicks(results: Sequence[PictureResult], iou: float) -> float | None:
    """The mean over sets of each set's mean over masks; None when nothing was clicked on.

    Raises: ConfigError as `clicks_samples`.
    """
    found = clicks_samples(results, iou)
    return float(np.mean([sample.values.mean() for sample in found.values()])) if found else None
