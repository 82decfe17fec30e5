from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from anymask.data_engine import queue, ratings
from anymask.data_engine.ratings import order
from anymask.errors import InputError, NotAllowedError, NotThereError, TakenError
from tests.data_engine.rating_world import RatingWorld
from tests.data_engine.world import World

ITEMS = 18
"""Three pictures, two masks each, three columns."""


@pytest.fixture
def rated(world: World, tmp_path: Path) -> RatingWorld:
    return RatingWorld(world, tmp_path)


def test_everybody_rates_every_mask_once_in_an_order_of_their_own(rated: RatingWorld) -> None:
    orders = []
    for asker in (rated.world.ann, rated.world.bob):
        seen = []
        for done in range(ITEMS):
            standing = rated.standing(asker)
            assert (standing.done, standing.total) == (done, ITEMS)
            assert standing.shown is not None
            seen.append(rated.rate(asker, 1 + done % 10))
        assert rated.standing(asker).shown is None
        orders.append(seen)
    ids = [item.id for item in rated.items()]
    assert sorted(orders[0]) == sorted(orders[1]) == ids
    assert len({tuple(one) for one in (*orders, ids)}) == 3


def test_the_pictures_that_come_after_are_named_in_order(rated: RatingWorld) -> None:
    ann = rated.world.ann
    for _ in range(ITEMS):
        standing = rated.standing(ann)
        expected = [image.id for image in standing.upcoming]
        rated.rate(ann, 5)
        shown = rated.standing(ann).shown
        assert ([] if shown is None else [shown.image.id]) == expected[:1]


def test_the_last_rating_may_be_taken_back_and_that_mask_comes_again(rated: RatingWorld) -> None:
    ann = rated.world.ann
    first = rated.rate(ann, 3)
    second = rated.rate(ann, 4)
    with pytest.raises(TakenError, match="not the rating you gave last"):
        rated.undo(ann, first)
    rated.undo(ann, second, key="undo-it-0")
    rated.undo(ann, second, key="undo-it-0")  # sent again
    standing = rated.standing(ann)
    assert standing.shown is not None
    assert (standing.done, standing.shown.item.id, standing.undoable) == (1, second, None)
    with pytest.raises(TakenError):
        rated.undo(ann, second)  # only one step
    rated.rate(ann, 9)
    assert rated.standing(ann).undoable == second
    (one, other) = rated.world.database.read(lambda session: ratings.collect(session, rated.project_id))
    assert (one.score, other.score) == (3, 9)


def test_a_rating_that_is_sent_again_counts_once(rated: RatingWorld) -> None:
    ann, bob = rated.world.ann, rated.world.bob
    item = rated.rate(ann, 3, key="the-same-key")
    rated.rate(ann, 3, item, key="the-same-key")
    assert rated.standing(ann).done == 1
    other = next(row.id for row in rated.items() if row.id != item)
    for asker, score, target in ((ann, 4, item), (bob, 3, item), (ann, 3, other)):
        with pytest.raises(TakenError, match="key"):
            rated.rate(asker, score, target, key="the-same-key")
    with pytest.raises(TakenError, match="already"):
        rated.rate(ann, 5, item)


def test_each_mask_is_rated_by_as_many_people_as_are_asked_for(world: World, tmp_path: Path) -> None:
    rated = RatingWorld(world, tmp_path, ratings_per_mask=1)
    seen = [rated.rate(world.ann if number % 3 else world.bob, 5) for number in range(ITEMS)]
    assert sorted(seen) == [item.id for item in rated.items()]
    assert rated.standing(world.ann).shown is None
    standing = rated.standing(world.bob)
    assert (standing.done, standing.total) == (6, 6)
    # What was taken back comes again to whom it was, and to the other as well.
    assert standing.undoable is not None
    rated.undo(world.bob, standing.undoable)
    again = rated.standing(world.bob)
    assert again.shown is not None
    assert (again.shown.item.id, again.done, again.total) == (standing.undoable, 5, 6)
    assert rated.standing(world.ann).total == 13


def test_what_is_collected_names_rater_column_and_mask(rated: RatingWorld) -> None:
    scores = {}
    for asker in (rated.world.ann, rated.world.bob):
        for number in range(ITEMS):
            item = rated.rate(asker, 1 + (number * asker.id) % 10)
            scores[asker.name, item] = 1 + (number * asker.id) % 10
    items = {(item.target, item.column_name): item.id for item in rated.items()}
    found = rated.world.database.read(lambda session: ratings.collect(session, rated.project_id))
    assert {(one.rater, items[one.target, one.column]): one.score for one in found} == scores
    assert {one.column for one in found} == {"alpha", "beta", "ground truth"}
    assert {(one.set_name, one.picture, one.seconds) for one in found} == {
        ("bars", f"bars/{number}", 1.5) for number in range(3)
    }
    progress = rated.world.database.read(lambda session: ratings.progress(session, rated.project_id))
    assert [(one.name, one.rated, one.median_s) for one in progress] == [("Ann", ITEMS, 1.5), ("Bob", ITEMS, 1.5)]


def test_the_database_refuses_to_change_or_remove_a_rating(rated: RatingWorld) -> None:
    rated.rate(rated.world.ann, 5)
    for statement in ("UPDATE ratings SET score = 10", "DELETE FROM ratings"):
        with pytest.raises(DBAPIError, match="append-only"):
            rated.world.database.write(lambda session, each=statement: session.execute(text(each)))
    assert rated.standing(rated.world.ann).done == 1


def test_what_is_no_rating_is_refused(rated: RatingWorld) -> None:
    ann = rated.world.ann
    for score in (0, 11):
        with pytest.raises(InputError, match="1 to 10"):
            rated.rate(ann, score)
    with pytest.raises(NotThereError):
        rated.rate(ann, 5, 999)
    with pytest.raises(InputError, match="no rating study"):
        rated.world.database.read(lambda session: ratings.standing(session, ann, rated.world.project.id))


def test_pictures_of_a_study_are_not_annotated(rated: RatingWorld) -> None:
    world = rated.world
    standing = rated.standing(world.ann)
    assert standing.shown is not None
    image = standing.shown.image

    def ask(session: object) -> object:
        from anymask.data_engine.projects import get_project

        return queue.open_task(session, world.ann, image, get_project(session, rated.project_id), world.clock())

    with pytest.raises(NotAllowedError, match="rated"):
        world.database.write(ask)


def test_orders_are_as_likely_as_any_other() -> None:
    firsts = [order(7, person, 3) for person in range(600)]
    counts = [firsts.count(one) for one in set(firsts)]
    assert len(counts) == 6
    assert min(counts) > 60
