"""Properties of the masks of a dataset, counted picture by picture: memory does not grow with the dataset.

The paper's: where mask centres lie, masks a picture, mask size relative to the picture, concavity stratified by size;
and how large the pictures are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from anymask.dataset.labelled_picture import LabelledPicture
from anymask.errors import ConfigError
from anymask.masks.hulls import concavity
from anymask.masks.types import MaskSet

Counts = npt.NDArray[np.int64]

MASKS_A_PICTURE = (0, 10, 50, 100, 200)
"""Upper ends of the groups of pictures by their number of masks; the last group is above. Source: paper, figure 6."""
SIZE_EDGES = (0.0, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 1.0)
"""Edges of the strata of relative mask size in which concavity is compared."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StatsConfig:
    """How finely properties are counted."""

    density_cells: int = 32
    """Cells a side of the map of mask centres."""
    bins: int = 50
    """Bins of relative size and of concavity, over [0, 1]."""

    def __post_init__(self) -> None:
        for name in ("density_cells", "bins"):
            if getattr(self, name) < 2:
                raise ConfigError(f"StatsConfig.{name} is {getattr(self, name)}, expected 2 or more")


@dataclass(slots=True, eq=False)
class Properties:
    """Counts over the pictures added so far; `add_all` joins two."""

    config: StatsConfig = field(default_factory=StatsConfig)
    pictures: int = 0
    masks: int = 0
    empty_masks: int = 0
    """Masks without a pixel; they are in no other count."""
    most_masks: int = 0
    sum_height: int = 0
    sum_width: int = 0
    centres: Counts = field(init=False)
    """(cells, cells) masks by the centre of their box, rows from the top, in shares of height and width."""
    by_masks: Counts = field(init=False)
    """Pictures by number of masks, groups of MASKS_A_PICTURE."""
    sizes: Counts = field(init=False)
    """(bins,) masks by relative size: square root of their share of the picture."""
    concavities: Counts = field(init=False)
    """(strata, bins) masks by relative size (SIZE_EDGES) and concavity."""
    sum_concavity: npt.NDArray[np.float64] = field(init=False)
    """(strata,) sums, for exact means."""
    sum_size: float = 0.0
    shortest: Counts = field(init=False)
    """Pictures by shortest side: place n counts sides of 2^(n/2) px up to the next."""

    def __post_init__(self) -> None:
        bins, strata = self.config.bins, len(SIZE_EDGES) - 1
        self.centres = np.zeros((self.config.density_cells, self.config.density_cells), np.int64)
        self.by_masks = np.zeros(len(MASKS_A_PICTURE) + 1, np.int64)
        self.sizes = np.zeros(bins, np.int64)
        self.concavities = np.zeros((strata, bins), np.int64)
        self.sum_concavity = np.zeros(strata)
        self.shortest = np.zeros(41, np.int64)

    def add(self, picture: LabelledPicture) -> None:
        """Count one picture; masks of crowds are not masks of things and count nowhere."""
        picture = picture.without_crowds()
        masks = picture.masks.take(picture.masks.area_px > 0)
        height, width = masks.size_hw
        self.pictures += 1
        self.masks += len(masks)
        self.empty_masks += len(picture.masks) - len(masks)
        self.most_masks = max(self.most_masks, len(masks))
        self.sum_height += height
        self.sum_width += width
        self.by_masks[np.searchsorted(MASKS_A_PICTURE, len(masks))] += 1
        self.shortest[min(int(2 * np.log2(min(height, width))), len(self.shortest) - 1)] += 1
        if len(masks):
            self._add_masks(masks)

    def _add_masks(self, masks: MaskSet) -> None:
        height, width = masks.size_hw
        cells, bins = self.config.density_cells, self.config.bins
        middle = (masks.boxes_xyxy[:, :2] + masks.boxes_xyxy[:, 2:]) / 2 / (width, height)
        column, row = np.minimum((middle * cells).astype(np.int64), cells - 1).T
        np.add.at(self.centres, (row, column), 1)
        size = np.sqrt(masks.area_px / (height * width))
        self.sum_size += float(size.sum())
        np.add.at(self.sizes, _bin(size, bins), 1)
        stratum = np.clip(np.searchsorted(SIZE_EDGES, size, side="right") - 1, 0, len(SIZE_EDGES) - 2)
        hollow = np.array([concavity(rle) for rle in masks.rles])
        np.add.at(self.concavities, (stratum, _bin(hollow, bins)), 1)
        np.add.at(self.sum_concavity, stratum, hollow)

    def add_all(self, other: Properties) -> None:
        """Count what `other` counted too; both must count as finely."""
        for name in ("pictures", "masks", "empty_masks", "sum_height", "sum_width", "sum_size"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.most_masks = max(self.most_masks, other.most_masks)
        for name in ("centres", "by_masks", "sizes", "concavities", "sum_concavity", "shortest"):
            getattr(self, name)[...] += getattr(other, name)

    def figures(self) -> dict[str, Any]:
        """The figures as JSON values; means are null where there is nothing to average."""
        return {
            "pictures": self.pictures,
            "masks": self.masks,
            "empty_masks": self.empty_masks,
            "masks_a_picture": _mean(self.masks, self.pictures),
            "most_masks_of_a_picture": self.most_masks,
            "pictures_by_masks": dict(zip(group_names(), self.by_masks.tolist(), strict=True)),
            "mean_height_px": _mean(self.sum_height, self.pictures),
            "mean_width_px": _mean(self.sum_width, self.pictures),
            "pictures_by_shortest_side": {
                f"{2 ** (place / 2):.0f} px": int(count) for place, count in enumerate(self.shortest) if count
            },
            "mean_relative_size": _mean(self.sum_size, self.masks),
            "relative_size": _shares(self.sizes),
            "share_of_centres_in_corners": _corner_share(self.centres),
            "centres": _shares(self.centres),
            "concavity_by_size": {
                name: _mean(float(total), int(count))
                for name, total, count in zip(
                    stratum_names(), self.sum_concavity, self.concavities.sum(axis=1), strict=True
                )
            },
            "mean_concavity_stratified": self._stratified(),
            "concavity": _shares(self.concavities.sum(axis=0)),
            "concavity_stratified": _mean_of_strata(self.concavities).tolist(),
        }

    def _stratified(self) -> float | None:
        """Mean over the strata that have masks, each weighing the same: free of how large the masks are."""
        counts = self.concavities.sum(axis=1)
        there = counts > 0
        return float((self.sum_concavity[there] / counts[there]).mean()) if there.any() else None


def group_names() -> list[str]:
    """The groups of pictures by number of masks, in order.

    >>> group_names()
    ['0', '1-10', '11-50', '51-100', '101-200', 'over 200']
    """
    inner = [f"{low + 1}-{high}" for low, high in pairwise(MASKS_A_PICTURE)]
    return ["0", *inner, f"over {MASKS_A_PICTURE[-1]}"]


def stratum_names() -> list[str]:
    """The strata of relative size, in order."""
    return [f"{low:g} to {high:g}" for low, high in pairwise(SIZE_EDGES)]


def _bin(values: npt.NDArray[np.float64], bins: int) -> Counts:
    return np.clip((values * bins).astype(np.int64), 0, bins - 1)


def _mean(total: float, count: int) -> float | None:
    return total / count if count else None


def _shares(counts: Counts) -> Any:
    return (counts / max(1, int(counts.sum()))).tolist()


def _mean_of_strata(counts: Counts) -> npt.NDArray[np.float64]:
    """(bins,) shares averaged over the strata that have masks, each weighing the same."""
    there = counts[counts.sum(axis=1) > 0]
    if len(there) == 0:
        return np.zeros(counts.shape[1])
    return np.asarray((there / there.sum(axis=1, keepdims=True)).mean(axis=0))


def _corner_share(centres: Counts) -> float | None:
    """Share of mask centres in the four corners that are a quarter of height and width each: 0.25 when even."""
    quarter = len(centres) // 4
    ends = np.r_[:quarter, len(centres) - quarter : len(centres)]
    total = int(centres.sum())
    return float(centres[np.ix_(ends, ends)].sum() / total) if total else None
