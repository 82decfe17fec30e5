"""Which pictures go where: splits and samples by a hash of each picture's name.

A hash does not change when pictures are added or come in another order, so a picture never moves from one part to
another, and a sample of a larger dataset keeps most of the smaller one's.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Mapping

from anymask.errors import ConfigError


def place_of(name: str, seed: int) -> float:
    """A number in [0, 1) that depends on name and seed alone.

    >>> place_of("sa1b/sa_1", 0) == place_of("sa1b/sa_1", 0) != place_of("sa1b/sa_1", 1)
    True
    """
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "big") / 2**64


def part_of(name: str, parts: Mapping[str, float], seed: int) -> str:
    """The part that a picture belongs to; `parts` are shares that add up to 1.

    Raises: ConfigError when they do not.
    """
    check_parts(parts)
    place, upto = place_of(name, seed), 0.0
    for part, share in parts.items():
        upto += share
        if place < upto:
            return part
    return list(parts)[-1]  # the sum of the shares may miss 1 by rounding


def check_parts(parts: Mapping[str, float]) -> None:
    """Passes for at least two named shares that add up to 1.

    Raises: ConfigError.
    """
    if len(parts) < 2 or any(not 0 < share < 1 for share in parts.values()) or abs(sum(parts.values()) - 1) > 1e-6:
        raise ConfigError(
            f"the parts are {dict(parts)}, expected two or more shares that add up to 1, as train=0.9 val=0.1"
        )


def sample_names(names: Iterable[str], count: int, seed: int) -> set[str]:
    """`count` of the names (all, if there are fewer), each as likely as any other.

    Raises: ConfigError for a count below 1.
    """
    if count < 1:
        raise ConfigError(f"a sample of {count} pictures was asked for, expected 1 or more")
    return set(heapq.nsmallest(count, names, key=lambda name: place_of(name, seed)))
