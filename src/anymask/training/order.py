"""Which record a step sees: a function of seed, step and place in the batch, so that a resumed run sees the same."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class RecordOrder:
    """The order of training. Each epoch is a new permutation of all records; nothing is lost or repeated in one."""

    def __init__(self, records: int, *, pictures: int, seed: int) -> None:
        """For so many `records` in all and `pictures` a step."""
        self.records, self.pictures, self.seed = records, pictures, seed
        self._epoch: tuple[int, npt.NDArray[np.int64]] = (-1, np.zeros(0, np.int64))

    def position(self, step: int, item: int) -> int:
        """Index of the record that `step` sees as its `item`-th."""
        epoch, place = divmod(step * self.pictures + item, self.records)
        known, order = self._epoch
        if known != epoch:
            order = np.random.default_rng((self.seed, epoch)).permutation(self.records)
            self._epoch = (epoch, order)
        return int(order[place])
