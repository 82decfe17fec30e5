"""Which pictures of a large dataset are asked about: as many as hold about 10,000 masks, as in the paper.

Source: SAM (arXiv 2304.02643) appendix D.1: of datasets of more than 15k masks, randomly picked pictures that hold
about 10k were taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from anymask.dataset.labelled import Data, read_data
from anymask.evaluation.targets import TargetConfig, choose_targets

MANY, ABOUT = 15_000, 10_000
"""Sets of more masks than the first are sampled down to about the second."""


def count_targets(data: Sequence[Data], wanted: set[str], config: TargetConfig) -> dict[str, int]:
    """How many targets each of the `wanted` pictures has, in order; label maps are decoded one picture at a time.

    Raises: DatasetError or ImageError for a damaged label map.
    """
    return {record.name: len(choose_targets(record, config)) for record in read_data(data) if record.name in wanted}


def sample_about(masks: Mapping[str, int], *, many: int = MANY, about: int = ABOUT, seed: int = 0) -> set[str]:
    """Of each set (`SET/ID`: masks) with more than `many` masks, pictures in random order until they hold `about`.

    Small sets are taken whole. The last picture taken may reach over `about`, so that no large picture is left out for
    its size.

    >>> len(sample_about({f"a/{i}": 10 for i in range(100)}, many=500, about=200))
    20
    """
    by_set: dict[str, list[str]] = {}
    for name in masks:
        by_set.setdefault(name.split("/", 1)[0], []).append(name)
    chosen: set[str] = set()
    for names in by_set.values():
        if sum(masks[name] for name in names) <= many:
            chosen |= set(names)
            continue
        total = 0
        for index in np.random.default_rng(seed).permutation(len(names)):
            if total >= about:
                break
            total += masks[names[index]]
            chosen.add(names[index])
    return chosen
