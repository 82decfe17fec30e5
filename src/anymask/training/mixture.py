"""Which record comes when: sets mixed by weight, each walked through permutation by permutation.

The order is a function of seed and sample number alone, and any sample number is found without the ones before it: so
a run resumed at step N, or spread over other processes, sees what an uninterrupted one sees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anymask.errors import ConfigError

BLOCK = 10_000
"""Samples in which every source comes exactly its share of times, in random order."""

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class SetWeight:
    """How often one set comes."""

    set_name: str
    """The set; all sets without a weight are one source together, of weight 1."""
    weight: float
    """Its part of the samples, relative to the other weights: 2 beside one other source of weight 1 is two thirds."""

    def __post_init__(self) -> None:
        if not (self.weight > 0 and math.isfinite(self.weight)):
            raise ConfigError(
                f"SetWeight.weight of {self.set_name!r} must be above 0, got {self.weight}; exclude a set that is "
                "not wanted"
            )


class Mixture:
    """The order of samples from several sources of records."""

    def __init__(self, sources: Sequence[Indices], weights: Sequence[float], seed: int) -> None:
        """Mix `sources`, non-empty arrays of record numbers, by `weights`, one each.

        Raises: ConfigError when a weight is too small beside the others to come once in a BLOCK.
        """
        self.sources, self.seed = tuple(sources), seed
        self.shares = np.asarray(weights, np.float64) / math.fsum(weights)
        if self.shares.min() * BLOCK < 1:
            raise ConfigError(
                f"a weight is {self.shares.min():.1e} of all weights, at least 1/{BLOCK} is needed; raise it or leave "
                "the set out"
            )
        self._counts = _apportion(self.shares, BLOCK)
        self._permutations: dict[int, tuple[int, Indices]] = {}
        self._block: tuple[int, Indices, Indices] = (-1, np.zeros(0, np.int64), np.zeros(0, np.int64))

    def at(self, sample: int) -> int:
        """Number of the record that is the `sample`-th of the run, from 0. Safe to call from several threads."""
        source, turn = self._turn(sample)
        records = self.sources[source]
        epoch, place = divmod(turn, len(records))
        return int(records[self._permutation(source, epoch)[place]])

    def draw(self, rng: np.random.Generator) -> int:
        """Number of any record: sources by their shares, the records of one alike."""
        records = self.sources[int(rng.choice(len(self.sources), p=self.shares))]
        return int(records[rng.integers(len(records))])

    def _turn(self, sample: int) -> tuple[int, int]:
        """The source of a sample, and how many samples of the source come before it."""
        if len(self.sources) == 1:
            return 0, sample
        block, place = divmod(sample, BLOCK)
        held, order, ranks = self._block  # one read: another thread may put the next block there
        if held != block:
            in_order = np.repeat(np.arange(len(self._counts)), self._counts)
            order = np.random.default_rng((self.seed, 3, block)).permutation(in_order)
            ranks = np.zeros(BLOCK, np.int64)
            for source, count in enumerate(self._counts):
                ranks[order == source] = np.arange(count)
            self._block = (block, order, ranks)
        source = int(order[place])
        return source, block * int(self._counts[source]) + int(ranks[place])

    def _permutation(self, source: int, epoch: int) -> Indices:
        held = self._permutations.get(source)
        if held is None or held[0] != epoch:
            # A single source keeps the order that runs had before there were weights.
            entropy = (self.seed, epoch) if len(self.sources) == 1 else (self.seed, 4, source, epoch)
            held = (epoch, np.random.default_rng(entropy).permutation(len(self.sources[source])))
            self._permutations[source] = held
        return held[1]


def mix_sets(set_names: Sequence[str], weights: Sequence[SetWeight], seed: int) -> Mixture:
    """The mixture of records whose sets are `set_names`, in order: a source for each set that has a weight, and one of
    weight 1 for all the others.

    Raises: ConfigError for a weight of a set that is not there.
    """
    names = np.asarray(set_names)
    known = set(set_names)
    for one in weights:
        if one.set_name not in known:
            raise ConfigError(
                f"there is a weight for set {one.set_name!r}, but the data has only {', '.join(sorted(known))}"
            )
    sources = [np.flatnonzero(names == one.set_name) for one in weights]
    factors = [one.weight for one in weights]
    others = np.flatnonzero(~np.isin(names, [one.set_name for one in weights]))
    if len(others):
        sources, factors = [*sources, others], [*factors, 1.0]
    return Mixture(sources, factors, seed)


def _apportion(shares: npt.NDArray[np.float64], total: int) -> Indices:
    """Whole numbers in proportion to `shares` that add up to `total` (largest remainders first)."""
    exact = shares * total
    counts = np.floor(exact).astype(np.int64)
    rest = total - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:rest]] += 1
    return counts
