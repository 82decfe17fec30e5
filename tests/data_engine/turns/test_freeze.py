from pathlib import Path

import numpy as np
import pytest

from anymask.data_engine.tables import MaskRow
from anymask.data_engine.turns.freeze import DatasetVersion, choose_masks, freeze, refuse_nothing
from anymask.dataset.choose import part_of
from anymask.dataset.index import RecordIndex
from anymask.errors import DatasetError
from tests.data_engine.turns.labelled_world import add_labelled, draw
from tests.data_engine.world import World


def frozen(world: World, folder: Path, **options: float) -> DatasetVersion:
    choices = world.database.read(lambda session: choose_masks(session, world.project.id))
    return freeze(world.database, world.blobs, choices, folder, held_share=options.get("held_share", 0.3), seed=0)


def test_accepted_masks_of_finished_pictures_are_cut_by_picture_and_read_back(world: World, tmp_path: Path) -> None:
    for seed in range(8):
        add_labelled(world, seed)
    add_labelled(world, 8, done=False)
    version = frozen(world, tmp_path / "v")
    parts = {
        part: RecordIndex([tmp_path / "v" / f"{part}.tar"]) for part in ("train", "held") if version.pictures[part]
    }
    names = {part: set(index.names()) for part, index in parts.items()}
    assert {part: len(each) for part, each in names.items()} == {p: n for p, n in version.pictures.items() if n}
    assert set().union(*names.values()) == {f"shapes/{seed:03d}" for seed in range(8)}
    for part, each in names.items():
        assert all(part_of(name, {"train": 0.7, "held": 0.3}, 0) == part for name in each)
    assert version.masks == {part: 2 * count for part, count in version.pictures.items()}
    assert version.sets == {"shapes": version.pictures["train"]}
    record = parts["train"][0]
    (labels,) = record.label_maps()
    for box in draw(int(record.name.removeprefix("shapes/")))[1]:
        assert len(np.unique(labels[box[1] : box[3], box[0] : box[2]])) == 1
        assert labels[box[1], box[0]] > 0


def test_the_same_masks_have_the_same_hash_and_others_another(world: World, tmp_path: Path) -> None:
    for seed in range(6):
        add_labelled(world, seed)
    first, again = frozen(world, tmp_path / "a"), frozen(world, tmp_path / "b")
    assert first == again
    assert (tmp_path / "a" / "train.tar").read_bytes() == (tmp_path / "b" / "train.tar").read_bytes()
    assert frozen(world, tmp_path / "c", held_share=0.6).content_sha256 != first.content_sha256
    add_labelled(world, 6)
    assert frozen(world, tmp_path / "d").content_sha256 != first.content_sha256


def test_what_people_change_after_the_choice_is_not_in_it(world: World, tmp_path: Path) -> None:
    image = add_labelled(world, 0)
    add_labelled(world, 1)
    choices = world.database.read(lambda session: choose_masks(session, world.project.id))
    before = freeze(world.database, world.blobs, choices, tmp_path / "a", held_share=0.01, seed=0)
    mask = next(one.mask for one in choices if one.image == image.id)
    world.apply(world.rob, image, world.change("delete", mask, base_version=1))
    after = freeze(world.database, world.blobs, choices, tmp_path / "b", held_share=0.01, seed=0)
    assert after == before
    assert len(world.database.read(lambda session: choose_masks(session, world.project.id))) == len(choices) - 1


def test_proposed_masks_teach_nothing_and_those_held_back_do_not_either(world: World) -> None:
    add_labelled(world, 0)

    def propose(session: object) -> None:
        for row in session.query(MaskRow):
            row.state = "proposed"

    chosen = world.database.read(lambda session: choose_masks(session, world.project.id))
    world.database.read(lambda session: refuse_nothing(session, chosen, 0.001, 0, needs_held=False))
    with pytest.raises(DatasetError, match="annotate and finish pictures first"):
        world.database.read(lambda session: refuse_nothing(session, chosen, 0.999, 0, needs_held=False))
    world.database.write(propose)
    assert world.database.read(lambda session: choose_masks(session, world.project.id)) == []
