"""How a simulated annotator works: how good is good enough, how long things take a person, and what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import cv2
import numpy as np
import numpy.typing as npt

from anymask.errors import ConfigError
from anymask.prompts.simulate import ClickConfig

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class HabitsConfig:
    """One kind of annotator. Times are what a person is taken to need; none was measured on people."""

    good_enough_iou: float = 0.85
    """A mask is kept, and a proposal accepted, from this IoU with the true mask on."""
    fix_from_iou: float = 0.5
    """A proposal below `good_enough_iou` is fixed from this IoU on, and dropped below it."""
    most_clicks: int = 8
    """After so many clicks on one object the rest is done with the brush."""
    vain_clicks: int = 2
    """After so many clicks in a row that made the mask no better, too."""
    most_masks: int = 25
    """Objects of one picture that are worked on, the largest first."""
    min_area_px: int = 64
    """Smaller objects are not seen."""
    clicks: ClickConfig = field(default_factory=lambda: ClickConfig(box_probability=0.0, centre_probability=0.8))
    """Where clicks fall, and how often the first prompt is a box."""
    click_noise_px: float = 1.5
    """Standard deviation of a click from where it was meant, original pixels on each axis."""
    brush_noise_px: float = 1.0
    """How far the edge of a brushed mask strays, about; original pixels."""
    miss_probability: float = 0.05
    """Share of objects that are overlooked."""
    wrong_accept_probability: float = 0.03
    """Share of bad proposals that are accepted all the same."""
    find_s: float = 2.5
    """Seconds to find the next object and go there."""
    click_s: float = 1.5
    """Seconds for a click and a look at the answer."""
    choose_s: float = 1.0
    """Seconds to choose another of the candidates."""
    decide_s: float = 2.0
    """Seconds to accept or drop a proposal."""
    brush_s: float = 8.0
    """Seconds to take up the brush and begin."""
    brush_px_per_s: float = 40.0
    """Outline of what is wrong that is brushed in a second, original pixels."""
    time_spread: float = 0.3
    """Standard deviation of the logarithm of each time."""
    sleep_share: float = 0.0
    """Share of these times that is really waited: 0 writes them down only, 1 works as slowly as a person."""
    seed: int = 0
    """Of everything random; what happens on a picture depends on it and the picture's name alone."""

    def __post_init__(self) -> None:
        for name in ("good_enough_iou", "fix_from_iou", "miss_probability", "wrong_accept_probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"HabitsConfig.{name} must be in [0, 1], got {getattr(self, name)}")
        for name in ("most_clicks", "vain_clicks", "most_masks", "min_area_px"):
            if getattr(self, name) < 1:
                raise ConfigError(f"HabitsConfig.{name} must be at least 1, got {getattr(self, name)}")
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, int | float) and value < 0:
                raise ConfigError(f"HabitsConfig.{one.name} must not be negative, got {value}")
        if self.brush_px_per_s == 0:
            raise ConfigError("HabitsConfig.brush_px_per_s must be above 0, got 0")


class Hand:
    """The time and the slips of one annotator on one picture."""

    def __init__(self, habits: HabitsConfig, rng: np.random.Generator) -> None:
        self.habits, self.rng, self.seconds = habits, rng, 0.0

    def spend(self, seconds: float) -> None:
        """Time passes, more or less as long as said."""
        self.seconds += seconds * float(np.exp(self.rng.normal(0.0, self.habits.time_spread)))

    def slips(self, probability: float) -> bool:
        """Whether a thing of this probability happens now."""
        return bool(self.rng.random() < probability)

    def aim(self, xy: tuple[int, int], size_hw: tuple[int, int]) -> tuple[float, float]:
        """Where a click at pixel `xy` lands: (x, y) inside the picture of `size_hw`, original pixels."""
        x, y = np.asarray(xy, np.float64) + 0.5 + self.rng.normal(0.0, self.habits.click_noise_px, 2)
        height, width = size_hw
        return float(np.clip(x, 0, width - 1)), float(np.clip(y, 0, height - 1))

    def brush(self, target: Mask, begun: Mask) -> Mask:
        """(H, W) the target as a person brushes it, from a mask that is not good enough: the edge strays smoothly.

        It takes as long as the outline of what is wrong, or of the whole when that is less. Never empty.
        """
        work_px = min(_outline_px(target), _outline_px(target ^ begun))
        self.spend(self.habits.brush_s + work_px / self.habits.brush_px_per_s)
        if self.habits.brush_noise_px == 0:
            return target
        inside = cv2.distanceTransform(np.pad(target, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
        outside = cv2.distanceTransform((~target).astype(np.uint8), cv2.DIST_L2, 5)
        coarse = self.rng.normal(0.0, self.habits.brush_noise_px, [max(2, side // 16) for side in target.shape])
        stray = cv2.resize(coarse, target.shape[::-1], interpolation=cv2.INTER_CUBIC)
        strayed: Mask = (np.where(target, inside, -outside) + stray) > 0
        return strayed if strayed.any() else target


def _outline_px(mask: Mask) -> float:
    """The length of the outline, about."""
    edge = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return float(edge.sum()) / 2
