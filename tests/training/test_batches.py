"""Samples: the order is fixed, nothing is lost or repeated, and unlabelled pixels are never a target."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anymask.dataset.entries import read_entry
from anymask.dataset.read import index_shards
from anymask.dataset.record import Record
from anymask.errors import ConfigError, DatasetError
from anymask.training.batches import Batches, DataConfig, draw_sample, without_sets
from anymask.training.mixture import SetWeight
from tests.training.drawn import drawn_record


def test_an_epoch_sees_each_record_once_and_the_next_in_another_order() -> None:
    records = [drawn_record(str(i), i) for i in range(10)]
    batches = Batches(records, DataConfig(), pictures=5, seed=3)
    epochs = [[batches.position(step, item) for step in steps for item in range(5)] for steps in ((0, 1), (2, 3))]
    assert [sorted(epoch) for epoch in epochs] == [list(range(10))] * 2
    assert epochs[0] != epochs[1]
    batches.close()


def test_a_batch_depends_on_seed_and_step_alone_also_when_made_ahead() -> None:
    records = [drawn_record(str(i), i) for i in range(6)]
    ahead, fresh = (Batches(records, DataConfig(), pictures=2, seed=1) for _ in range(2))
    ahead.get(0, 64, 2, (1, 64, 2))
    first, second = ahead.get(1, 64, 2, None), fresh.make(1, 64, 2)
    for a, b in zip(first.samples, second.samples, strict=True):
        assert a.name == b.name
        np.testing.assert_array_equal(a.pixels, b.pixels)
        np.testing.assert_array_equal(a.masks, b.masks)
    other = Batches(records, DataConfig(), pictures=2, seed=2)
    orders = [[batches.position(step, item) for step in range(3) for item in range(2)] for batches in (fresh, other)]
    assert orders[0] != orders[1]
    for batches in (ahead, fresh, other):
        batches.close()


def test_a_picture_without_a_mask_is_skipped_and_named() -> None:
    records = [drawn_record("empty", masks=0), drawn_record("full", 1)]
    batches = Batches(records, DataConfig(), pictures=2, seed=0)
    batch = batches.make(0, 64, 4)
    batches.close()
    assert batch.skipped == ("drawn/empty",)
    assert [sample.name for sample in batch.samples] == ["drawn/full"]


def test_weights_of_sets_decide_what_a_step_sees_and_nothing_is_read_to_know_it() -> None:
    often = [replace(drawn_record(str(i), i), set_name="often") for i in range(2)]
    records = [*often, *(drawn_record(str(i), i) for i in range(8))]
    config = DataConfig(weights=(SetWeight(set_name="often", weight=3),))

    class Index(list[Record]):
        def set_names(self) -> list[str]:
            return [record.set_name for record in list(self)]

        def __getitem__(self, index: int) -> Record:
            raise AssertionError("an index of shards reads pictures when they are due, not before")

    for given in (records, Index(records)):
        batches = Batches(given, config, pictures=4, seed=0)
        seen = [batches.position(step, item) for step in range(100) for item in range(4)]
        batches.close()
        assert np.mean(np.array(seen) < 2) == pytest.approx(0.75, abs=0.08)
        assert set(seen) == set(range(10))


def test_no_pictures_at_all_is_refused() -> None:
    with pytest.raises(DatasetError, match="no training pictures"):
        Batches([], DataConfig(), pictures=1, seed=0)


def test_masks_are_labelled_regions_and_never_the_unlabelled_rest() -> None:
    record = drawn_record("x", 4)
    sample = draw_sample(record, 64, 8, DataConfig(), np.random.default_rng(0))
    assert sample is not None
    labelled = record.label_maps()[0] > 0
    assert sample.masks.any((1, 2)).all()
    assert not (sample.masks & ~labelled).any()


@pytest.mark.parametrize(
    ("config", "count"), [(DataConfig(), 3), (DataConfig(repeats=2), 6), (DataConfig(min_area_px=10_000), None)]
)
def test_repeats_and_smallest_area_decide_how_many_masks_are_drawn(config: DataConfig, count: int | None) -> None:
    sample = draw_sample(drawn_record("x", 11), 64, 6, config, np.random.default_rng(0))
    assert (sample is None) if count is None else (sample is not None and len(sample.masks) == count)


def test_masks_of_nearly_the_whole_picture_are_dropped() -> None:
    assert (
        draw_sample(drawn_record("x", 1, masks=1), 64, 2, DataConfig(max_fraction=0.01), np.random.default_rng(0))
        is None
    )


def test_sets_are_left_out_by_name() -> None:
    assert without_sets([drawn_record("a")], ["drawn"]) == []


@pytest.mark.parametrize("field", [{"min_area_px": 0}, {"repeats": 0}, {"max_fraction": 0.0}])
def test_bad_fields_are_refused_by_name(field: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(field))):
        DataConfig(**field)


def test_a_set_with_two_weights_is_refused() -> None:
    with pytest.raises(ConfigError, match="weights must name each set once, got cups, cups"):
        DataConfig(weights=(SetWeight(set_name="cups", weight=1), SetWeight(set_name="cups", weight=2)))


def test_real_shards_give_samples(data_dir: Path) -> None:
    entries = index_shards([data_dir / "train-00.tar"])
    sample = draw_sample(read_entry(entries[0]), 256, 4, DataConfig(), np.random.default_rng(0))
    assert sample is not None
    assert sample.pixels.shape == (256, 256, 3)
