"""Which regions of a labelled picture are asked for, the same ones for every segmenter."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anymask.dataset.record import Record
from anymask.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetConfig:
    """What counts as a target."""

    min_area_px: int = 64
    """Smaller regions are left out."""
    max_area_share: float = 0.9
    """Regions of this share of the picture or more are left out."""
    per_picture: int | None = 4
    """Most targets of one picture; of more, a fixed draw. None asks for all."""
    seed: int = 0
    """Seed of that draw."""

    def __post_init__(self) -> None:
        if self.min_area_px < 1:
            raise ConfigError(f"TargetConfig.min_area_px must be at least 1, got {self.min_area_px}")
        if not 0 < self.max_area_share <= 1:
            raise ConfigError(f"TargetConfig.max_area_share must be in (0, 1], got {self.max_area_share}")
        if self.per_picture is not None and self.per_picture < 1:
            raise ConfigError(f"TargetConfig.per_picture must be at least 1, got {self.per_picture}")

    @staticmethod
    def paper(seed: int = 0) -> TargetConfig:
        """Every mask of every picture, as the paper asks for (appendix D.1)."""
        return TargetConfig(min_area_px=1, max_area_share=1.0, per_picture=None, seed=seed)


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One region of a label map."""

    map_index: int
    label: int
    mask: npt.NDArray[np.bool_]
    """(H, W) original pixels."""
    area_px: int


def choose_targets(record: Record, config: TargetConfig) -> list[Target]:
    """At most `per_picture` regions of the record's label maps, in order of map and label; empty when none qualifies.

    A region is all pixels of one label of one map. The draw depends on the seed and the picture's name alone, not on
    what was evaluated before, so part of a set or a resumed run asks for the same masks.

    Raises: DatasetError for a damaged label map.
    """
    maps = record.label_maps()
    found = [
        (map_index, label, int(area))
        for map_index, labels in enumerate(maps)
        for label, area in enumerate(np.bincount(labels.ravel()))
        if label > 0 and area >= config.min_area_px and area < config.max_area_share * labels.size
    ]
    if config.per_picture is not None and len(found) > config.per_picture:
        rng = np.random.default_rng([config.seed, zlib.crc32(record.name.encode())])
        kept = np.sort(rng.choice(len(found), config.per_picture, replace=False))
        found = [found[index] for index in kept]
    return [Target(index, label, maps[index] == label, area) for index, label, area in found]
