"""Samples: the order is fixed, nothing is lost or repeated, and unlabelled pixels are never a target."""

import threading
from concurrent.futures import wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anymask.dataset.entries import read_entry
from anymask.dataset.read import index_shards
from anymask.dataset.record import Record
from anymask.errors import ConfigError, DatasetError, ImageError
from anymask.images.augment import ViewConfig
from anymask.training.batches import TOUCH_PX, Batches, DataConfig, draw_sample, touching, without_sets
from anymask.training.mixture import SetWeight
from tests.training.drawn import drawn_record, png

LABELS_ARE_BRIGHT = ViewConfig(
    whole_probability=0.5, shrink_probability=0.3, jitter_probability=0.5, jitter=(0.4, 2.0), flip_probability=0.5
)
"""Views that leave `drawn_record`'s contrast: labelled pixels 120 and above, unlabelled ones 40 and below."""


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


@pytest.mark.parametrize(("workers", "ahead"), [(1, 0), (1, 1), (3, 1), (2, 4)])
def test_batches_do_not_depend_on_workers_or_on_how_far_ahead_they_are_made(workers: int, ahead: int) -> None:
    records = [drawn_record(str(i), i, masks=i % 3) for i in range(7)]
    weights = (SetWeight(set_name="drawn", weight=2),)
    config = DataConfig(view=LABELS_ARE_BRIGHT, paste_probability=0.5, weights=weights)
    many = Batches(records, replace(config, workers=workers, ahead=ahead), pictures=3, seed=4)
    one = Batches(records, config, pictures=3, seed=4)
    keys = [(step, 64 if step < 4 else 96, 3) for step in range(8)]  # the size changes: what was made ahead is wrong
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        found, expected = many.get(*key, following), one.make(*key)
        assert (found.places, found.skipped) == (expected.places, expected.skipped)
        for a, b in zip(found.samples, expected.samples, strict=True):
            assert a.name == b.name
            np.testing.assert_array_equal(a.pixels, b.pixels)
            np.testing.assert_array_equal(a.masks, b.masks)
    many.close()
    one.close()


class Watched(list[Record]):
    """Records that count how often they are read, and wait at a barrier when there is one."""

    def __init__(self, count: int, together: int = 1) -> None:
        super().__init__(drawn_record(str(i), i) for i in range(count))
        self.reads, self.barrier = 0, threading.Barrier(together, timeout=30)

    def __getitem__(self, index: Any) -> Any:
        self.barrier.wait()
        self.reads += 1
        return super().__getitem__(index)


def test_as_many_samples_are_made_at_once_as_there_are_workers() -> None:
    batches = Batches(Watched(6, together=3), DataConfig(workers=3), pictures=3, seed=0)
    assert len(batches.get(0, 64, 2, None).samples) == 3  # with fewer workers the barrier would break
    batches.close()


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_as_many_steps_are_made_ahead_as_asked_for(ahead: int) -> None:
    records = Watched(20)
    batches = Batches(records, DataConfig(ahead=ahead), pictures=2, seed=0)
    batches.get(0, 64, 2, (1, 64, 2))
    wait(batches._ahead._begun.values())
    assert records.reads == 2 * (1 + ahead)
    batches.get(1, 64, 2, None)  # the last step: nothing is made beyond it
    assert records.reads == 2 * (1 + max(ahead, 1))
    batches.close()


def test_a_damaged_picture_made_ahead_is_named_when_its_step_comes() -> None:
    records = [replace(drawn_record("bad"), image_bytes=b"no picture"), drawn_record("good", 1)]
    batches = Batches(records, DataConfig(ahead=2), pictures=1, seed=0)
    bad = [batches.position(step, 0) for step in range(2)].index(0)
    for step in range(bad):
        batches.get(step, 64, 2, (step + 1, 64, 2))
    with pytest.raises(ImageError, match="drawn/bad"):
        batches.get(bad, 64, 2, None)
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


@pytest.mark.parametrize("paste", [0.0, 1.0])
def test_no_mask_is_ever_made_of_what_nobody_labelled_through_crops_jitter_and_copying(paste: float) -> None:
    records = [drawn_record(str(i), i, masks=i % 4) for i in range(8)]
    # All sizes qualify, so that label 0, by far the largest, would be drawn if it could be.
    config = DataConfig(view=LABELS_ARE_BRIGHT, max_fraction=1.0, paste_probability=paste, min_area_px=20)
    batches = Batches(records, config, pictures=8, seed=0)
    found = [sample for step in range(20) for sample in batches.make(step, 96, 8).samples]
    batches.close()
    assert len(found) > 80
    for sample in found:
        inside = np.zeros((96, 96), bool)
        inside[: sample.content_hw[0], : sample.content_hw[1]] = True
        for mask in sample.masks:
            assert not (mask & ~inside).any()
            assert (sample.pixels[mask].max(-1) > 60).mean() > 0.7  # interpolated edges of small discs are darker


def test_copied_regions_come_from_the_other_picture_and_leave_their_own_as_it_is_drawn() -> None:
    record, donor = drawn_record("x", 4, masks=0), drawn_record("y", 5)
    alone = draw_sample(record, 64, 8, DataConfig(), np.random.default_rng(0))
    sample = draw_sample(record, 64, 8, DataConfig(), np.random.default_rng(0), donor)
    assert alone is None
    assert sample is not None
    copied = sample.masks.any(0)
    np.testing.assert_array_equal(sample.pixels[copied], donor.pixels()[copied])
    np.testing.assert_array_equal(sample.pixels[~copied], record.pixels()[~copied])


def test_fields_of_copying_decide_how_often_and_how_much() -> None:
    records = [drawn_record(f"base{i}", i, masks=0) for i in range(5)]
    records += [drawn_record(f"donor{i}", i + 5) for i in range(5)]

    def copies(**fields: float) -> list[int]:
        batches = Batches(records, DataConfig(**fields), pictures=10, seed=0)
        samples = [sample for step in range(8) for sample in batches.make(step, 64, 9).samples]
        batches.close()
        return [len(sample.masks) for sample in samples if "base" in sample.name]

    assert copies() == []
    assert 0 < len(copies(paste_probability=0.5)) < len(copies(paste_probability=1)) <= 20 + 12
    assert set(copies(paste_probability=1, paste_regions=1)) == {1}
    assert set(copies(paste_probability=1, paste_regions=3)) == {1, 2, 3}


def test_copying_depends_on_seed_step_and_item_alone_and_changes_nothing_else_that_is_drawn() -> None:
    records = [drawn_record(str(i), i) for i in range(6)]
    config = DataConfig(view=LABELS_ARE_BRIGHT, paste_probability=0.5)
    first, second, without = (
        Batches(records, one, pictures=6, seed=1) for one in (config, config, replace(config, paste_probability=0))
    )
    first.make(0, 64, 4)
    same, again, plain = (batches.make(1, 64, 4) for batches in (first, second, without))
    for one, other in zip(same.samples, again.samples, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        np.testing.assert_array_equal(one.masks, other.masks)
    unchanged = [
        np.array_equal(one.pixels, other.pixels) for one, other in zip(same.samples, plain.samples, strict=True)
    ]
    assert 0 < sum(unchanged) < 6
    for batches in (first, second, without):
        batches.close()


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


def rider_and_horse() -> Record:
    """Three regions in a row with a thin unlabelled line between the first two, and a fourth apart."""
    labels = np.zeros((64, 64), np.uint16)
    labels[8:24, 4:20], labels[8:24, 21:36], labels[8:24, 36:50], labels[44:60, 4:20] = 1, 2, 3, 4
    pixels = np.repeat((40 * labels)[..., None], 3, axis=2).astype(np.uint8)
    return Record("0", "zoo", png(pixels), (png(labels),))


def masks_drawn(config: DataConfig, seeds: int = 40) -> tuple[list[frozenset[int]], list[np.ndarray]]:
    """The labels that each mask drawn covers, and the pixels of each sample."""
    found, pixels = list[frozenset[int]](), list[np.ndarray]()
    for seed in range(seeds):
        sample = draw_sample(rider_and_horse(), 64, 4, config, np.random.default_rng(seed))
        assert sample is not None
        found += [frozenset((sample.pixels[mask][:, 0] // 40).tolist()) for mask in sample.masks]
        pixels.append(sample.pixels)
    return found, pixels


WHOLE = ViewConfig(whole_probability=1.0, shrink_probability=0.0, flip_probability=0.0)


def test_regions_that_touch_are_joined_as_often_as_asked_and_others_never() -> None:
    alone, pixels = masks_drawn(DataConfig(view=WHOLE))
    assert set(alone) == {frozenset({label}) for label in (1, 2, 3, 4)}
    joined, same_pixels = masks_drawn(DataConfig(view=WHOLE, group_probability=0.5))
    np.testing.assert_array_equal(pixels, same_pixels)  # nothing else that is drawn changes
    assert set(joined) == {frozenset(labels) for labels in ({1}, {2}, {3}, {4}, {1, 2}, {2, 3}, {1, 2, 3})}
    of_neighbours = [labels for labels in joined if 4 not in labels]
    assert 0.35 < sum(len(labels) > 1 for labels in of_neighbours) / len(of_neighbours) < 0.65
    everything = sum(len(labels) == 3 for labels in joined) / sum(len(labels) > 1 for labels in joined)
    assert 0.35 < everything < 0.7


def test_regions_are_joined_in_the_sets_named_alone_and_not_when_they_cover_too_much() -> None:
    always = DataConfig(view=WHOLE, group_probability=1.0)
    assert all(len(labels) == 1 for labels in masks_drawn(replace(always, group_sets=("farm",)))[0])
    assert any(len(labels) > 1 for labels in masks_drawn(replace(always, group_sets=("zoo",)))[0])
    small = masks_drawn(replace(always, max_fraction=0.13))[0]
    assert all(len(labels) < 3 for labels in small)
    assert any(len(labels) == 2 for labels in small)


def test_pasted_regions_are_joined_by_the_set_they_come_from() -> None:
    config = DataConfig(view=WHOLE, group_probability=1.0, paste_probability=1.0, paste_regions=4)
    empty = Record("1", "farm", png(np.zeros((64, 64, 3), np.uint8)), (png(np.zeros((64, 64), np.uint16)),))
    sizes = {}
    for named in ("zoo", "farm"):
        joined = list[int]()
        for seed in range(20):
            drawn = replace(config, group_sets=(named,))
            sample = draw_sample(empty, 64, 4, drawn, np.random.default_rng(seed), rider_and_horse())
            assert sample is not None
            joined += [len(set((sample.pixels[mask][:, 0] // 40).tolist())) for mask in sample.masks]
        sizes[named] = max(joined)
    assert sizes["zoo"] > 1
    assert sizes["farm"] == 1


def test_regions_touch_over_a_thin_line_and_not_over_a_wide_one() -> None:
    assert touching(rider_and_horse().label_maps()[0]) == {1: {2}, 2: {1, 3}, 3: {2}}
    for gap, met in ((0, True), (TOUCH_PX - 1, True), (TOUCH_PX, False)):
        labels = np.zeros((4, 12), np.uint16)
        labels[1, 4], labels[1, 5 + gap] = 7, 9  # one pixel each, whose other neighbours are unlabelled
        for turned in (labels, labels.T):
            assert touching(turned) == ({7: {9}, 9: {7}} if met else {})


def test_sets_are_left_out_by_name() -> None:
    assert without_sets([drawn_record("a")], ["drawn"]) == []


@pytest.mark.parametrize(
    "field",
    [
        {"min_area_px": 0},
        {"repeats": 0},
        {"max_fraction": 0.0},
        {"paste_probability": 1.5},
        {"paste_regions": 0},
        {"group_probability": -0.1},
        {"group_sets": ("zoo",)},
        {"workers": 0},
        {"ahead": -1},
    ],
)
def test_bad_fields_are_refused_by_name(field: dict[str, Any]) -> None:
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
