"""The simulated annotator: clicks and boxes drawn from a true mask, for training and for the data engine.

Source: paper appendix A, "Training algorithm". All randomness comes from the generator given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from anymask.errors import ConfigError
from anymask.prompts.clicks import most_interior_point, next_click
from anymask.prompts.types import BACKGROUND, FOREGROUND

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClickConfig:
    """How prompts are drawn from a true mask."""

    box_probability: float = 0.5
    """Share of first prompts that are a box instead of a point; the paper says equal."""
    box_noise: Literal["gaussian", "uniform"] = "gaussian"
    """Distribution of the noise on each box coordinate; the paper does not say, SAM 2's code draws it uniformly."""
    box_noise_share: float = 0.1
    """Standard deviation (or half-width, uniform) as a share of the box side."""
    box_noise_max_px: float = 20.0
    """Largest shift of a coordinate in input pixels."""
    centre_probability: float = 0.0
    """Share of clicks put at the most interior point of the region instead of uniformly in it (0 in the paper);
    people click the middle, and so does the evaluation protocol."""

    def __post_init__(self) -> None:
        for name in ("box_probability", "centre_probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"ClickConfig.{name} must be in [0, 1], got {getattr(self, name)}")
        if self.box_noise_share < 0 or self.box_noise_max_px < 0:
            raise ConfigError("ClickConfig.box_noise_share and box_noise_max_px must not be negative")


def random_point(region: Mask, config: ClickConfig, rng: np.random.Generator) -> tuple[int, int]:
    """(x, y) pixel of the region, uniform, or its most interior point with `centre_probability`."""
    if config.centre_probability > 0 and rng.random() < config.centre_probability:
        return _pixel(most_interior_point(region))
    inside = np.flatnonzero(region)
    y, x = divmod(int(inside[rng.integers(len(inside))]), region.shape[1])
    return x, y


def random_box(mask: Mask, config: ClickConfig, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """(4,) xyxy of the mask with noise on each coordinate, kept inside the picture; right and bottom exclusive."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float64)
    sides = np.array([box[2] - box[0], box[3] - box[1]] * 2)
    draw = rng.standard_normal(4) if config.box_noise == "gaussian" else rng.uniform(-1, 1, 4)
    noisy = box + np.clip(draw * config.box_noise_share * sides, -config.box_noise_max_px, config.box_noise_max_px)
    limit = np.array([mask.shape[1], mask.shape[0]] * 2, np.float64)
    noisy = np.clip(noisy, 0, limit)
    # Noise on a thin box can turn it inside out; such a draw goes back to the true side.
    for low, high in ((0, 2), (1, 3)):
        if noisy[high] - noisy[low] < 1:
            noisy[[low, high]] = box[[low, high]]
    result: npt.NDArray[np.float32] = noisy.astype(np.float32)
    return result


def error_click(
    predicted: Mask, target: Mask, config: ClickConfig, rng: np.random.Generator
) -> tuple[tuple[int, int], int] | None:
    """A click uniform from the error region: ((x, y), label), foreground on a false negative, else background.

    None when prediction and target agree everywhere.
    """
    wrong = predicted ^ target
    if not wrong.any():
        return None
    if config.centre_probability > 0 and rng.random() < config.centre_probability:
        centre, label = next_click(predicted, target)
        return _pixel(centre), label
    inside = np.flatnonzero(wrong)
    y, x = divmod(int(inside[rng.integers(len(inside))]), wrong.shape[1])
    return (x, y), FOREGROUND if target[y, x] else BACKGROUND


def _pixel(centre_xy: tuple[float, float]) -> tuple[int, int]:
    """The pixel whose centre (+.5) is given."""
    return int(centre_xy[0]), int(centre_xy[1])
