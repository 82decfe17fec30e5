"""Training samples in a fixed order: what step N sees depends on seed and N alone, so a resumed run sees the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from anymask.dataset.record import Record
from anymask.errors import ConfigError, DatasetError
from anymask.images.augment import ViewConfig, random_view
from anymask.training.ahead import Ahead
from anymask.training.group import Group
from anymask.training.order import RecordOrder


class Records(Protocol):
    """Random access to records, such as a list or an index of shards."""

    def __len__(self) -> int:
        """How many records there are."""
        ...

    def __getitem__(self, index: int) -> Record:
        """The record at `index`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """How pictures become samples."""

    view: ViewConfig = field(default_factory=ViewConfig)
    """Random crops, scales, flips and colours."""
    min_area_px: int = 1
    """Masks smaller than this in the view (input pixels) are not drawn."""
    max_fraction: float = 0.9
    """Masks that cover more of the picture are dropped, as in the paper."""
    repeats: int = 1
    """Most prompts drawn from one mask when a picture has fewer masks than asked for."""

    def __post_init__(self) -> None:
        if self.min_area_px < 1 or self.repeats < 1:
            raise ConfigError("DataConfig.min_area_px and repeats must be at least 1")
        if not 0 < self.max_fraction <= 1:
            raise ConfigError(f"DataConfig.max_fraction must be in (0, 1], got {self.max_fraction}")


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One view of one picture with the masks to prompt for."""

    name: str
    pixels: npt.NDArray[np.uint8]
    """(S, S, 3) RGB, padded bottom/right with zeros."""
    masks: npt.NDArray[np.bool_]
    """(K, S, S), every one non-empty."""
    content_hw: tuple[int, int]
    """Height and width that the picture takes; the rest is padding."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The samples of one step, and the names of pictures that had nothing to learn from."""

    samples: tuple[Sample, ...]
    places: tuple[int, ...]
    """Where in the whole batch each sample stands; randomness is drawn by it."""
    skipped: tuple[str, ...]


class Batches:
    """Batches by step number. Each epoch is a new permutation of all records; nothing is lost or repeated in one."""

    def __init__(
        self, records: Records, config: DataConfig, *, pictures: int, seed: int, group: Group | None = None
    ) -> None:
        if len(records) == 0:
            raise DatasetError("there are no training pictures; check the paths and the set names left out")
        self.records, self.config, self.pictures, self.seed = records, config, pictures, seed
        self.places = (group or Group()).share(pictures)
        self._order = RecordOrder(len(records), pictures=pictures, seed=seed)
        self._ahead = Ahead[tuple[int, int, int], Batch](lambda key: self.make(*key))

    def position(self, step: int, item: int) -> int:
        """Index of the record that `step` sees as its `item`-th."""
        return self._order.position(step, item)

    def make(self, step: int, size: int, masks: int) -> Batch:
        """This process's share of the batch of `step` at input size `size`, at most `masks` masks a picture."""
        samples, places, skipped = [], [], []
        for item in self.places:
            record = self.records[self.position(step, item)]
            rng = np.random.default_rng((self.seed, 1, step, item))
            sample = draw_sample(record, size, masks, self.config, rng)
            if sample is None:
                skipped.append(record.name)
            else:
                samples.append(sample)
                places.append(item)
        return Batch(tuple(samples), tuple(places), tuple(skipped))

    def get(self, step: int, size: int, masks: int, following: tuple[int, int, int] | None) -> Batch:
        """`make(step, size, masks)`, made ahead of need when the last call named it as `following`."""
        return self._ahead.get((step, size, masks), following)

    def close(self) -> None:
        """Stop the worker."""
        self._ahead.close()


def draw_sample(record: Record, size: int, masks: int, config: DataConfig, rng: np.random.Generator) -> Sample | None:
    """A random view of `record` and up to `masks` of its masks; None when the view shows none that qualifies.

    Every label map counts: several annotators or layers of a picture are ambiguity to learn from. Label 0 is
    "nobody said" and never becomes a mask.
    """
    pixels, maps, content_hw = random_view(record.pixels(), record.label_maps(), size, config.view, rng)
    candidates: list[tuple[int, int]] = []
    for index, label_map in enumerate(maps):
        areas = np.bincount(label_map.ravel())
        areas[0] = 0
        fits = (areas >= config.min_area_px) & (areas <= config.max_fraction * content_hw[0] * content_hw[1])
        candidates += [(index, int(label)) for label in np.flatnonzero(fits)]
    if not candidates:
        return None
    # Each mask once before any is repeated.
    rounds = [rng.permutation(len(candidates)) for _ in range(config.repeats)]
    chosen = np.concatenate(rounds)[:masks]
    stack = np.stack([maps[candidates[i][0]] == candidates[i][1] for i in chosen])
    return Sample(record.name, pixels, stack, content_hw)


def without_sets(records: Sequence[Record], names: Sequence[str]) -> list[Record]:
    """The records whose set is not among `names`."""
    return [record for record in records if record.set_name not in names]
