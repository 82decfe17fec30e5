import pytest

from anymask.data_engine import projects, queue
from anymask.errors import LeaseLostError, NotThereError, TakenError
from tests.data_engine.world import World


def test_people_see_their_projects_and_admins_all(world: World) -> None:
    other = world.database.write(
        lambda session: projects.add_project(session, "dogs", "Only dogs.", {}, world.ada.id, world.clock())
    )
    seen = {
        who.name: [row.name for row in world.database.read(lambda s, who=who: projects.list_projects(s, who))]
        for who in (world.ada, world.ann)
    }
    assert seen == {"Ada": ["cups", "dogs"], "Ann": ["cups"]}
    assert not world.database.read(lambda session: projects.is_member(session, other.id, world.ann.id))
    assert other.instructions == "Only dogs."
    assert "no class is needed" in world.project.instructions


def test_names_are_unique(world: World) -> None:
    with pytest.raises(TakenError):
        world.add_project("cups")
    second = world.add_project("dogs")
    with pytest.raises(TakenError):
        world.database.write(
            lambda s: projects.change_project(
                s, second.id, name="cups", instructions=None, settings=None, now=world.clock()
            )
        )
    changed = world.database.write(
        lambda s: projects.change_project(
            s, second.id, name="cats", instructions="Cats.", settings={"lease_s": 60}, now=world.clock()
        )
    )
    assert (changed.name, changed.instructions, changed.settings) == ("cats", "Cats.", {"lease_s": 60})
    with pytest.raises(NotThereError):
        world.database.read(lambda session: projects.get_project(session, 999))


def test_counts_follow_the_work(world: World) -> None:
    image, *_ = world.add_pictures(3)
    lease = world.lease(world.ann)
    world.apply(world.ann, image, world.change("create"), world.change("create"), lease=lease)
    counts = world.database.read(lambda session: projects.count(session, [world.project.id]))[world.project.id]
    assert counts == projects.Counts(images=3, waiting=2, leased=1, done=0, skipped=0, to_review=0, masks=2)
    world.database.write(lambda session: queue.finish(session, world.ann, lease, world.clock()))
    counts = world.database.read(lambda session: projects.count(session, [world.project.id]))[world.project.id]
    assert (counts.leased, counts.done) == (0, 1)


def test_who_leaves_a_project_gives_back_what_they_held(world: World) -> None:
    world.add_picture()
    lease = world.lease(world.ann)
    world.database.write(lambda session: projects.remove_member(session, world.project.id, world.ann.id))
    with pytest.raises(LeaseLostError):
        world.database.write(lambda session: queue.heartbeat(session, world.ann, lease, world.clock()))
    assert world.next_task(world.bob) is not None
