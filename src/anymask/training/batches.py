"""Training samples in a fixed order: what step N sees depends on seed and N alone, so a resumed run sees the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from anymask.dataset.record import Record
from anymask.errors import ConfigError, DatasetError
from anymask.images.augment import LabelMap, View, ViewConfig, random_view
from anymask.images.paste import paste_regions
from anymask.training.ahead import Ahead
from anymask.training.group import Group
from anymask.training.mixture import SetWeight, mix_sets


class Records(Protocol):
    """Random access to records, such as a list or an index of shards."""

    def __len__(self) -> int:
        """How many records there are."""
        ...

    def __getitem__(self, index: int) -> Record:
        """The record at `index`."""
        ...


@runtime_checkable
class NamedRecords(Records, Protocol):
    """Records whose sets are known before they are read, such as an index of shards."""

    def set_names(self) -> list[str]:
        """The set of every record, in order."""
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
    weights: tuple[SetWeight, ...] = ()
    """Sets that come more or less often than their number of pictures says; all the others together have weight 1.
    Without any, every picture comes equally often."""

    paste_probability: float = 0.0
    """Share of samples onto which regions of another picture are copied; it is drawn as pictures are by `weights`."""
    paste_regions: int = 4
    """Most regions copied onto one sample; at least one, when the other picture shows any that qualifies."""
    group_probability: float = 0.0
    """Share of masks that regions of the same label map which touch them join: a rider and the horse are one thing,
    too. Half of these take one neighbour, half all that are reached from region to region."""
    group_sets: tuple[str, ...] = ()
    """Sets whose regions may be joined, whether the data has them or not; empty for all. Where regions tile the
    picture, their unions are no things."""
    workers: int = 1
    """Threads that make samples beside the training. What they make does not depend on their number."""
    ahead: int = 1
    """Steps whose samples are made before they are asked for, each held in memory; 0 makes them when asked."""

    def __post_init__(self) -> None:
        if self.min_area_px < 1 or self.repeats < 1:
            raise ConfigError("DataConfig.min_area_px and repeats must be at least 1")
        if not 0 < self.max_fraction <= 1:
            raise ConfigError(f"DataConfig.max_fraction must be in (0, 1], got {self.max_fraction}")
        if not 0 <= self.paste_probability <= 1:
            raise ConfigError(f"DataConfig.paste_probability must be in [0, 1], got {self.paste_probability}")
        if not 0 <= self.group_probability <= 1:
            raise ConfigError(f"DataConfig.group_probability must be in [0, 1], got {self.group_probability}")
        if self.group_sets and not self.group_probability:
            raise ConfigError("DataConfig.group_sets are named, but group_probability is 0; set one, or name none")
        if self.paste_regions < 1:
            raise ConfigError(f"DataConfig.paste_regions must be at least 1, got {self.paste_regions}")
        if self.workers < 1:
            raise ConfigError(f"DataConfig.workers must be at least 1, got {self.workers}")
        if self.ahead < 0:
            raise ConfigError(f"DataConfig.ahead must not be negative, got {self.ahead}")
        names = [one.set_name for one in self.weights]
        if len(set(names)) != len(names):
            raise ConfigError(f"DataConfig.weights must name each set once, got {', '.join(names)}")


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


StepKey = tuple[int, int, int]
"""Step, input size and most masks a picture: with the seed, all that a batch depends on."""
Made = tuple[str, Sample | None]
"""A record's name, and the sample made of it."""


class Batches:
    """Batches by step number. Each epoch of a source (of all records, without weights) is a new permutation of it;
    nothing is lost or repeated in one."""

    def __init__(
        self, records: Records, config: DataConfig, *, pictures: int, seed: int, group: Group | None = None
    ) -> None:
        if len(records) == 0:
            raise DatasetError("there are no training pictures; check the paths and the set names left out")
        self.records, self.config, self.pictures, self.seed = records, config, pictures, seed
        self.places = (group or Group()).share(pictures)
        names = _set_names(records) if config.weights else [""] * len(records)
        self.mixture = mix_sets(names, config.weights, seed)
        self._ahead = Ahead[tuple[int, StepKey], Made](lambda key: self._sample(key[0], *key[1]), config.workers)

    def position(self, step: int, item: int) -> int:
        """Index of the record that `step` sees as its `item`-th."""
        return self.mixture.at(step * self.pictures + item)

    def make(self, step: int, size: int, masks: int) -> Batch:
        """This process's share of the batch of `step` at input size `size`, at most `masks` masks a picture."""
        return self._collect([self._sample(item, step, size, masks) for item in self.places])

    def _donor(self, step: int, item: int) -> Record | None:
        """Another record to copy regions from, as seed, step and item say; None for no copying, or itself drawn."""
        if self.config.paste_probability == 0:
            return None
        rng = np.random.default_rng((self.seed, 5, step, item))
        pastes, donor = rng.random() < self.config.paste_probability, self.mixture.draw(rng)
        return self.records[donor] if pastes and donor != self.position(step, item) else None

    def get(self, step: int, size: int, masks: int, following: StepKey | None) -> Batch:
        """`make(step, size, masks)`, made ahead of need when an earlier call named it as `following`.

        The steps after `following` are begun too, as many as `ahead` says, at the same size and masks; where these
        change, what was begun is dropped and made anew.
        """
        later = [] if following is None else [(following[0] + n, *following[1:]) for n in range(self.config.ahead)]
        return self._collect(
            self._ahead.get(
                [(item, (step, size, masks)) for item in self.places],
                [(item, key) for key in later for item in self.places],
            )
        )

    def _sample(self, item: int, step: int, size: int, masks: int) -> Made:
        """The `item`-th sample of a step."""
        record = self.records[self.position(step, item)]
        rng = np.random.default_rng((self.seed, 1, step, item))
        return record.name, draw_sample(record, size, masks, self.config, rng, self._donor(step, item))

    def _collect(self, made: Sequence[Made]) -> Batch:
        found = [(sample, place) for (_, sample), place in zip(made, self.places, strict=True) if sample is not None]
        return Batch(
            samples=tuple(sample for sample, _ in found),
            places=tuple(place for _, place in found),
            skipped=tuple(name for name, sample in made if sample is None),
        )

    def close(self) -> None:
        """Stop the workers; what they have begun is finished, the rest is dropped."""
        self._ahead.close()


def draw_sample(
    record: Record,
    size: int,
    masks: int,
    config: DataConfig,
    rng: np.random.Generator,
    donor: Record | None = None,
) -> Sample | None:
    """A random view of `record`, regions of `donor` (if any) copied onto it, and up to `masks` of its masks; None when
    the view shows none that qualifies.

    Every label map counts: several annotators or layers of a picture are ambiguity to learn from. Label 0 is
    "nobody said" and never becomes a mask. A mask that is drawn is known to its last pixel: what is not of it is
    background to it, whether another region or label 0.
    """
    view = random_view(record.pixels(), record.label_maps(), size, config.view, rng)
    own = len(view[1])  # behind them come the donor's
    if donor is not None:
        view = _paste(view, donor, config, rng.spawn(1)[0])  # a stream of its own: what else is drawn does not change
    pixels, maps, content_hw = view
    candidates = _regions(view, config)
    if not candidates:
        return None
    # Each mask once before any is repeated.
    rounds = [rng.permutation(len(candidates)) for _ in range(config.repeats)]
    chosen = np.concatenate(rounds)[:masks]
    drawn = [candidates[i] for i in chosen]
    if config.group_probability > 0:
        most = config.max_fraction * content_hw[0] * content_hw[1]
        set_of = [record.set_name if index < own or donor is None else donor.set_name for index in range(len(maps))]
        groups = _Groups(maps, set_of, most, config, rng.spawn(1)[0])  # a stream of its own, as above
        stack = np.stack([np.isin(maps[index], groups.of(index, label)) for index, label in drawn])
    else:
        stack = np.stack([maps[index] == label for index, label in drawn])
    return Sample(record.name, pixels, stack, content_hw)


class _Groups:
    """Which regions of a view are taken together with those that touch them."""

    def __init__(
        self, maps: list[LabelMap], set_of: Sequence[str], most: float, config: DataConfig, rng: np.random.Generator
    ) -> None:
        """`set_of` names the set that each map is of; no group covers more than `most` pixels."""
        self.maps, self.set_of, self.most, self.config, self.rng = maps, set_of, most, config, rng
        self._touching: dict[int, dict[int, set[int]]] = {}

    def of(self, index: int, label: int) -> tuple[int, ...]:
        """`label` of a map, and by chance labels that join it."""
        joins, all_of_them, which = self.rng.random(3)
        sets = self.config.group_sets
        if joins >= self.config.group_probability or (sets and self.set_of[index] not in sets):
            return (label,)
        if index not in self._touching:
            self._touching[index] = touching(self.maps[index])
        neighbours = self._touching[index]
        if label not in neighbours:
            return (label,)
        found = {label}
        if all_of_them < 0.5:
            waiting = [label]
            while waiting:
                more = neighbours[waiting.pop()] - found
                found |= more
                waiting += more
        else:
            near = sorted(neighbours[label])
            found.add(near[int(which * len(near))])
        return tuple(sorted(found)) if np.isin(self.maps[index], list(found)).sum() <= self.most else (label,)


TOUCH_PX = 3
"""Regions touch when a pixel of one is at most so many to the side of a pixel of the other, above or below: that steps
over the thin unlabelled border that many sets draw."""


def touching(label_map: LabelMap) -> dict[int, set[int]]:
    """The labels that each label of a (h, w) map touches, by `TOUCH_PX`. Label 0 touches nothing."""
    pairs = set[tuple[int, int]]()
    for apart in range(1, TOUCH_PX + 1):
        for one, other in ((label_map[:-apart], label_map[apart:]), (label_map[:, :-apart], label_map[:, apart:])):
            met = (one != other) & (one > 0) & (other > 0)
            codes = one[met].astype(np.int64) << 16 | other[met]
            pairs |= {divmod(code, 1 << 16) for code in np.unique(codes).tolist()}
    found: dict[int, set[int]] = {}
    for first, second in pairs:
        found.setdefault(first, set()).add(second)
        found.setdefault(second, set()).add(first)
    return found


def _paste(view: View, donor: Record, config: DataConfig, rng: np.random.Generator) -> View:
    """`view` with one to `paste_regions` regions of a random view of `donor`."""
    other = random_view(donor.pixels(), donor.label_maps(), view[0].shape[0], config.view, rng)
    found = _regions(other, config)
    if not found:
        return view
    count = min(int(rng.integers(1, config.paste_regions + 1)), len(found))
    return paste_regions(view, other, [found[index] for index in rng.permutation(len(found))[:count]])


def _regions(view: View, config: DataConfig) -> list[tuple[int, int]]:
    """(map, label) of every region of the view that is neither too small nor too large; never label 0."""
    _, maps, (height, width) = view
    found: list[tuple[int, int]] = []
    for index, label_map in enumerate(maps):
        areas = np.bincount(label_map.ravel())
        areas[0] = 0
        fits = (areas >= config.min_area_px) & (areas <= config.max_fraction * height * width)
        found += [(index, int(label)) for label in np.flatnonzero(fits)]
    return found


def _set_names(records: Records) -> list[str]:
    """The set of every record; those of a list are in memory already."""
    if isinstance(records, NamedRecords):
        return records.set_names()
    return [records[index].set_name for index in range(len(records))]


def without_sets(records: Sequence[Record], names: Sequence[str]) -> list[Record]:
    """The records whose set is not among `names`."""
    return [record for record in records if record.set_name not in names]
