import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError

from anymask.data_engine import journal
from anymask.data_engine.tables import JournalRow
from tests.data_engine.world import World


def write(world: World, **options: object) -> None:
    entry = journal.Entry("test", world.clock(), world.ann.id, world.project.id, **options)
    world.database.write(lambda session: journal.write(session, entry))


def test_entries_are_read_in_order_after_a_number(world: World) -> None:
    for image_id in (1, 2, 3):
        write(world, image_id=image_id)
    rows = world.database.read(lambda session: journal.read(session, world.project.id, limit=2))
    assert [row.image_id for row in rows] == [1, 2]
    rest = world.database.read(lambda session: journal.read(session, world.project.id, after=rows[-1].seq))
    assert [row.image_id for row in rest] == [3]
    only = world.database.read(lambda session: journal.read(session, world.project.id, image_id=2))
    assert [row.image_id for row in only] == [2]


def test_entries_are_found_by_their_key(world: World) -> None:
    write(world, key="a-key-of-an-action", details={"digest": "abc"})
    found = world.database.read(lambda session: journal.find_digests(session, ["a-key-of-an-action", "another-key"]))
    assert found == {"a-key-of-an-action": "abc"}


@pytest.mark.parametrize("change", [update(JournalRow).values(kind="other"), delete(JournalRow)])
def test_the_database_itself_refuses_to_change_or_remove_an_entry(world: World, change: object) -> None:
    write(world)
    with pytest.raises(DBAPIError, match="append-only"):
        world.database.write(lambda session: session.execute(change))
    rows = world.database.read(lambda session: journal.read(session, world.project.id))
    assert [row.kind for row in rows] == ["test"]


def test_several_entries_are_added_in_order_with_what_single_ones_hold(world: World) -> None:
    entries = [
        journal.Entry("test", world.clock(), world.ann.id, world.project.id, image_id=number, details={"n": number})
        for number in (3, 1, 2)
    ]
    world.database.write(lambda session: journal.write_all(session, entries))
    world.database.write(lambda session: journal.write_all(session, []))
    rows = world.database.read(lambda session: journal.read(session, world.project.id))
    assert [(row.image_id, row.details) for row in rows] == [(n, {"n": n}) for n in (3, 1, 2)]
