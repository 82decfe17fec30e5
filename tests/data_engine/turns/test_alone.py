import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from anymask.data_engine.loop import TurnHooks
from anymask.data_engine.turns.alone import make_masks
from anymask.data_engine.turns.config import AutomaticConfig, EngineConfig
from anymask.data_engine.turns.folder import StoppedError
from anymask.dataset.choose import part_of
from anymask.dataset.index import RecordIndex
from tests.data_engine.turns.labelled_world import add_labelled
from tests.data_engine.world import World

CONFIG = EngineConfig(
    database="d",
    store="s",
    project="cups",
    held_share=0.3,
    generate=AutomaticConfig(preset="default", points_per_side=8, pictures=5),
)


def test_pictures_that_nobody_annotated_or_held_back_get_masks(world: World, small_model: Path, tmp_path: Path) -> None:
    add_labelled(world, 0)
    add_labelled(world, 12, done=False)
    for seed in range(1, 12):
        add_labelled(world, seed, done=False, masked=False)
    made = make_masks(world.database, world.blobs, world.project.id, tmp_path, small_model, CONFIG, TurnHooks())
    with tarfile.open(tmp_path / "pictures.tar") as tar:
        names = [member.name.removesuffix(".webp") for member in tar]
    assert len(names) == made.pictures == 5
    assert not {"shapes/000", "shapes/012"} & set(names)
    assert all(part_of(name, {"train": 0.7, "held": 0.3}, CONFIG.split_seed) == "train" for name in names)
    records = RecordIndex(sorted((tmp_path / "generated").glob("sa_*.tar")))
    assert len(records) == 5
    assert made.masks > 0
    assert made.masks_a_picture == made.masks / 5
    again = make_masks(world.database, world.blobs, world.project.id, tmp_path, small_model, CONFIG, TurnHooks())
    assert again == made


def test_where_every_picture_was_annotated_there_is_nothing_to_make(
    world: World, small_model: Path, tmp_path: Path
) -> None:
    add_labelled(world, 0)
    made = make_masks(world.database, world.blobs, world.project.id, tmp_path, small_model, CONFIG, TurnHooks())
    assert (made.pictures, made.masks) == (0, 0)


def test_told_to_stop_it_goes_on_another_time(world: World, small_model: Path, tmp_path: Path) -> None:
    for seed in range(4):
        add_labelled(world, seed, done=False, masked=False)
    config = replace(CONFIG, held_share=0.01)
    hooks = TurnHooks(should_stop=lambda: True)
    with pytest.raises(StoppedError):
        make_masks(world.database, world.blobs, world.project.id, tmp_path, small_model, config, hooks)
    made = make_masks(world.database, world.blobs, world.project.id, tmp_path, small_model, config, TurnHooks())
    assert made.pictures == 4
