"""Which regions are asked for."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anymask.dataset import Record, read_shards
from anymask.errors import ConfigError
from anymask.evaluation.targets import TargetConfig, choose_targets


def png(labels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(labels).save(buffer, "PNG")
    return buffer.getvalue()


def record(*maps: np.ndarray, name: str = "a") -> Record:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((*maps[0].shape, 3), np.uint8)).save(buffer, "WEBP")
    return Record(name, "s", buffer.getvalue(), tuple(png(labels) for labels in maps))


def grid_of_regions(count: int) -> np.ndarray:
    """`count` regions of 10 x 10 px in a row, labels 1.. and a gap of unlabelled pixels."""
    labels = np.zeros((12, 10 * count), np.uint8)
    labels[:10] = np.repeat(np.arange(1, count + 1), 10)
    return labels


def test_a_target_is_all_pixels_of_one_label() -> None:
    labels = np.zeros((20, 20), np.uint8)
    labels[:8, :8] = 7
    labels[15:, 15:] = 7
    (target,) = choose_targets(record(labels), TargetConfig())
    assert (target.map_index, target.label, target.area_px) == (0, 7, 64 + 25)
    np.testing.assert_array_equal(target.mask, labels == 7)


@pytest.mark.parametrize(("area", "kept"), [(63, False), (64, True), (179, True), (180, False)])
def test_regions_below_64_px_or_from_90_percent_on_are_left_out(area: int, kept: bool) -> None:
    labels = np.zeros(200, np.uint8)
    labels[:area] = 1
    assert bool(choose_targets(record(labels.reshape(10, 20)), TargetConfig())) is kept


def test_unlabelled_pixels_are_never_a_target() -> None:
    assert choose_targets(record(np.zeros((50, 50), np.uint8)), TargetConfig()) == []


def test_at_most_four_are_taken_and_always_the_same() -> None:
    labels = grid_of_regions(12)
    first = [target.label for target in choose_targets(record(labels), TargetConfig())]
    assert len(first) == 4
    assert first == sorted(set(first))
    assert first == [target.label for target in choose_targets(record(labels), TargetConfig())]


def test_the_draw_differs_between_pictures_and_seeds_and_reaches_every_region() -> None:
    labels = grid_of_regions(12)
    draws = [
        tuple(target.label for target in choose_targets(record(labels, name=f"p{i}"), TargetConfig()))
        for i in range(40)
    ]
    assert len(set(draws)) > 20
    assert {label for draw in draws for label in draw} == set(range(1, 13))
    by_seed = {tuple(t.label for t in choose_targets(record(labels), TargetConfig(seed=seed))) for seed in range(10)}
    assert len(by_seed) > 5


def test_every_layer_of_a_picture_gives_targets() -> None:
    one, two = grid_of_regions(2), np.roll(grid_of_regions(2), 5, axis=1)
    targets = choose_targets(record(one, two), TargetConfig())
    assert [(target.map_index, target.label) for target in targets] == [(0, 1), (0, 2), (1, 1), (1, 2)]


def test_labels_above_255_are_seen() -> None:
    labels = np.zeros((20, 20), np.uint16)
    labels[:10] = 300
    assert [target.label for target in choose_targets(record(labels), TargetConfig())] == [300]


def test_real_targets_obey_the_limits(data_dir: Path) -> None:
    config = TargetConfig()
    for index, one in enumerate(read_shards([data_dir / "val-coco_mini.tar"])):
        if index == 20:
            break
        targets = choose_targets(one, config)
        assert len(targets) <= 4
        for target in targets:
            assert 64 <= target.area_px < 0.9 * target.mask.size
            assert target.mask.sum() == target.area_px


@pytest.mark.parametrize(
    "bad", [{"min_area_px": 0}, {"max_area_share": 0.0}, {"max_area_share": 1.5}, {"per_picture": 0}]
)
def test_a_bad_config_is_refused_by_field(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(bad))):
        TargetConfig(**bad)
