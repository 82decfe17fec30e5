"""Pictures of crowds, drawn by rule."""

from pathlib import Path

import numpy as np
import pytest

from anymask.dataset.crowds import SIDES, draw_crowd, write_crowds
from anymask.dataset.index import RecordIndex
from anymask.errors import ConfigError, DatasetError


@pytest.mark.parametrize("seed", range(6))
def test_a_crowd_has_labelled_things_on_an_unlabelled_ground(seed: int) -> None:
    picture, labels = draw_crowd(np.random.default_rng(seed))
    assert picture.dtype == np.uint8
    assert picture.shape == (*labels.shape, 3)
    assert all(SIDES[0] <= side <= SIDES[1] for side in labels.shape)
    assert labels.max() >= 1
    assert set(np.unique(labels)) == set(range(labels.max() + 1))  # 0 is the ground, no number is missing


def test_things_can_be_told_from_the_ground() -> None:
    apart = []
    for seed in range(20):
        picture, labels = draw_crowd(np.random.default_rng(seed))
        apart.append(np.abs(picture[labels > 0].mean(0) - picture[labels == 0].mean(0)).max())
    assert min(apart) > 10


def test_a_shard_is_read_back_and_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_crowds(tmp_path / "a.tar", 2, 5, lambda done, total: seen.append((done, total)))
    write_crowds(tmp_path / "b.tar", 2, 5)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    assert seen == [(1, 2), (2, 2)]
    records = RecordIndex([tmp_path / "a.tar"])
    assert [record.name for record in records] == ["crowds/5_00000", "crowds/5_00001"]
    _, labels = draw_crowd(np.random.default_rng((5, 1)))
    assert np.array_equal(records[1].label_maps()[0], labels)


def test_another_seed_draws_other_pictures() -> None:
    first, second = (draw_crowd(np.random.default_rng((seed, 0)))[0] for seed in (0, 1))
    assert first.shape != second.shape or not np.array_equal(first, second)


def test_no_picture_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one"):
        write_crowds(tmp_path / "a.tar", 0, 0)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="name another file"):
        write_crowds(tmp_path / "missing" / "a.tar", 1, 0)
    assert not list(tmp_path.iterdir())
