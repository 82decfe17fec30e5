from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from anymask.data_engine.pictures import ask_all_embeddings
from anymask.data_engine.projects import get_project
from anymask.data_engine.rating_intake import StudySettings, add_study, find_study
from anymask.data_engine.tables import ImageRow, RatingItemRow
from anymask.errors import InputError, TakenError
from anymask.evaluation.rating.guide import guide
from tests.data_engine.rating_world import RatingWorld, make
from tests.data_engine.world import MODEL, World


def test_a_study_becomes_a_project_of_its_kind_with_the_guide(world: World, tmp_path: Path) -> None:
    rated = RatingWorld(world, tmp_path)
    project = world.database.read(lambda session: get_project(session, rated.project_id))
    assert (project.kind, project.instructions) == ("rate", guide("point"))
    masks = {(item.target, item.column_name): item.counts for item in rated.items()}
    for picture in rated.study.pictures():
        for target in picture.targets:
            for column, mask in target.masks.items():
                name = f"{picture.picture}#{target.map_index}.{target.label}"
                assert masks[name, column] == mask.counts.decode()


def test_the_same_study_is_added_once(world: World, tmp_path: Path) -> None:
    rated = RatingWorld(world, tmp_path)
    settings = StudySettings(name="again")
    assert add_study(world.database, world.blobs, rated.study, settings, world.ada.id) == rated.project_id
    row = world.database.read(lambda session: find_study(session, rated.study))
    assert row is not None
    assert row.items == len(rated.items()) == 18


def test_neither_numbers_nor_names_say_the_column(world: World, tmp_path: Path) -> None:
    rated = RatingWorld(world, tmp_path, pictures=40)
    items = rated.items()
    assert [item.position for item in items] == list(range(240))  # ids rise with positions, which are drawn
    places = {
        column: np.mean([item.position for item in items if item.column_name == column])
        for column in ("alpha", "beta", "ground truth")
    }
    # Standard error of a mean of 80 of 240 places: sqrt(240^2 / 12 / 80 * 160 / 240) = 6.3.
    assert all(abs(place - 119.5) < 5 * 6.3 for place in places.values())
    # Of the three masks of one input, each column comes first about as often.
    order: dict[str, list[str]] = {}
    for item in items:
        order.setdefault(item.target, []).append(item.column_name)
    firsts = [columns[0] for columns in order.values()]
    assert len(firsts) == 80
    assert all(10 < firsts.count(column) < 45 for column in places)
    query = select(ImageRow.file_name).where(ImageRow.project_id == rated.project_id)
    names = world.database.read(lambda session: list(session.scalars(query)))
    assert names == [f"{number:06d}" for number in range(1, 41)]


def test_pictures_that_are_rated_are_not_embedded(world: World, tmp_path: Path) -> None:
    RatingWorld(world, tmp_path)
    world.add_picture()
    other = "b" * 64
    assert world.database.write(lambda session: ask_all_embeddings(session, other, world.clock())) == 1
    assert other != MODEL


def test_names_that_tell_and_names_in_use_are_refused(world: World, tmp_path: Path) -> None:
    study = make(tmp_path)
    with pytest.raises(InputError, match="tells raters"):
        add_study(world.database, world.blobs, study, StudySettings(name="Alpha against beta"), world.ada.id)
    with pytest.raises(TakenError, match="cups"):
        add_study(world.database, world.blobs, study, StudySettings(name="cups"), world.ada.id)
    assert world.database.read(lambda session: list(session.scalars(select(RatingItemRow)))) == []
    with pytest.raises(InputError, match="1 or more"):
        StudySettings(name="x", ratings_per_mask=0)
