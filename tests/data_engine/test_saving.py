from concurrent.futures import Future
from datetime import timedelta

import pytest
from sqlalchemy import select

from anymask.data_engine import mask_rows, people
from anymask.data_engine.assisted import Answer
from anymask.data_engine.saving import Save, Saver, store
from anymask.data_engine.tables import ImageRow, PersonRow
from anymask.errors import LeaseLostError, NotAllowedError, NotThereError, SignInError
from tests.data_engine.world import World, checked, provenance


def count(world: World, image: ImageRow) -> int:
    return len(world.database.read(lambda session: mask_rows.list_masks(session, image.id)))


def save_as(world: World, token: str, image_id: int) -> Save:
    return Save(token=token, image_id=image_id, lease=None, changes=[world.change("create")])


def test_each_save_of_a_group_gets_its_own_answer(world: World) -> None:
    images = world.add_pictures(6)
    lease = world.lease(world.ann)
    world.clock.move(901)
    world.lease(world.bob)
    out = world.add_person("Out", "reviewer")
    saves = [
        world.save(world.ann, images[0], world.change("create"), lease=lease),
        world.save(world.rob, images[1], world.change("create")),
        world.save(out, images[2], world.change("create")),
        save_as(world, "no session's", images[3].id),
        world.save(world.bob, images[4], world.change("create")),
        save_as(world, world.tokens[world.ada.id], 999),
        world.save(world.ada, images[5], world.change("create")),
    ]
    answers = world.database.write(lambda session: store(session, saves, world.clock(), skip_locked=False))
    kinds = [LeaseLostError, Answer, NotThereError, SignInError, NotAllowedError, NotThereError, Answer]
    assert [type(answer) for answer in answers] == kinds
    assert [count(world, image) for image in images] == [0, 1, 0, 0, 0, 1]


def test_what_the_database_refuses_fails_alone(world: World) -> None:
    images = world.add_pictures(3)
    impossible = checked(provenance=provenance(clicks=10**30))
    saves = [
        world.save(world.ada, images[0], world.change("create")),
        world.save(world.ada, images[1], world.change("create", mask=impossible)),
        world.save(world.rob, images[2], world.change("create")),
    ]
    saver = Saver(world.database)
    group: list[tuple[Save, Future[Answer]]] = [(save, Future()) for save in saves]
    saver._store(group, is_group=True)
    assert [group[place][1].result(60).results[0].outcome for place in (0, 2)] == ["applied", "applied"]
    with pytest.raises(Exception, match="int"):
        group[1][1].result(60)
    saver.close()
    assert [count(world, image) for image in images] == [1, 0, 1]


def test_the_same_save_ten_times_at_once_acts_once(world: World) -> None:
    first, second = world.add_pictures(2)
    saver = Saver(world.database)
    create = world.change("create")
    futures = [saver.submit(world.save(world.ada, first, create)) for _ in range(10)]
    others = [saver.submit(world.save(world.rob, second, world.change("create"))) for _ in range(10)]
    outcomes = [future.result(60).results[0].outcome for future in futures]
    assert outcomes == ["applied"] + ["repeated"] * 9
    assert {future.result(60).results[0].outcome for future in others} == {"applied"}
    saver.close()
    assert (count(world, first), count(world, second)) == (1, 10)


def test_the_same_id_on_two_pictures_of_a_group_is_one_mask(world: World) -> None:
    first, second = world.add_pictures(2)
    create = world.change("create")
    saves = [
        world.save(world.ada, first, create),
        world.save(world.ada, second, world.change("create", create.mask_id)),
    ]
    answers = world.database.write(lambda session: store(session, saves, world.clock(), skip_locked=True))
    assert [answer.results[0].outcome for answer in answers if isinstance(answer, Answer)] == ["applied", "refused"]
    assert (count(world, first), count(world, second)) == (1, 0)


# SQLite has one lock for all.
@pytest.mark.parametrize("migrated_url", [pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True)
def test_a_picture_that_another_transaction_holds_keeps_only_its_own_save_waiting(world: World) -> None:
    held, free = world.add_pictures(2)
    saver = Saver(world.database)

    def hold(session: object) -> tuple["Future[Answer]", "Future[Answer]"]:
        session.execute(select(ImageRow.id).where(ImageRow.id == held.id).with_for_update())
        waits = saver.submit(world.save(world.ada, held, world.change("create")))
        passes = saver.submit(world.save(world.ada, free, world.change("create")))
        assert passes.result(60).results[0].outcome == "applied"
        assert not waits.done()
        return waits, passes

    waits, _ = world.database.write(hold)
    assert waits.result(60).results[0].outcome == "applied"
    saver.close()


def test_a_session_that_ended_saves_nothing_any_more(world: World) -> None:
    image = world.add_picture()
    world.database.write(lambda session: people.end_session(session, world.tokens[world.ada.id]))
    with pytest.raises(SignInError):
        world.apply(world.ada, image, world.change("create"))
    world.clock.move(people.SESSION_LASTS / timedelta(seconds=1) + 1)
    with pytest.raises(SignInError):
        world.apply(world.rob, image, world.change("create"))
    assert world.database.read(lambda session: session.get(PersonRow, world.ada.id)) is not None
    assert count(world, image) == 0
