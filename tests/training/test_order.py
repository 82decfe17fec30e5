"""The order of records: a permutation an epoch, whatever the size of the batch."""

import numpy as np
import pytest

from anymask.training.order import RecordOrder


@pytest.mark.parametrize("pictures", [1, 3, 20])
def test_every_epoch_sees_each_record_once_also_when_batches_cross_its_end(pictures: int) -> None:
    order = RecordOrder(7, pictures=pictures, seed=1)
    seen = [order.position(step, item) for step in range(42 // pictures + 1) for item in range(pictures)]
    epochs = np.array(seen[:42]).reshape(6, 7)
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_a_place_can_be_asked_for_at_any_time() -> None:
    order, fresh = RecordOrder(5, pictures=2, seed=0), RecordOrder(5, pictures=2, seed=0)
    forwards = [order.position(step, 1) for step in range(12)]
    assert [fresh.position(step, 1) for step in reversed(range(12))] == forwards[::-1]
    assert [RecordOrder(5, pictures=2, seed=1).position(step, 1) for step in range(12)] != forwards
