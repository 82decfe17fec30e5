import pytest

from anymask.data_engine import jobs, queue
from anymask.data_engine.people import Identity
from anymask.data_engine.pictures import get_picture
from anymask.data_engine.queue import Lease
from anymask.data_engine.tables import TaskRow
from anymask.errors import LeaseLostError, NotAllowedError, NotThereError, TakenError
from tests.data_engine.world import MODEL, World


def must(task: TaskRow | None) -> TaskRow:
    assert task is not None
    return task


def finish(world: World, who: Identity, lease: Lease) -> str:
    return world.database.write(lambda session: queue.finish(session, who, lease, world.clock())).state


def skip(world: World, who: Identity, lease: Lease) -> str:
    return world.database.write(lambda session: queue.skip(session, who, lease, world.clock(), "blurred")).state


def test_each_picture_is_leased_to_one_person_in_order_and_given_back_to_its_holder(world: World) -> None:
    images = world.add_pictures(2)
    ann, bob = must(world.next_task(world.ann)), must(world.next_task(world.bob))
    assert [ann.image_id, bob.image_id] == [image.id for image in images]
    assert must(world.next_task(world.ann)).id == ann.id
    assert world.next_task(world.ann, resume=False) is None


def test_an_expired_lease_goes_to_the_next_and_the_late_writer_is_refused_by_its_token(world: World) -> None:
    world.add_picture()
    late = world.lease(world.ann)
    world.clock.move(901)
    fresh = world.lease(world.bob)
    assert fresh.task_id == late.task_id
    assert fresh.token > late.token
    for act in (queue.heartbeat, queue.finish, queue.skip, queue.release):
        with pytest.raises(LeaseLostError, match="went on to somebody else"):
            world.database.write(lambda session, act=act: act(session, world.ann, late, world.clock()))
    assert finish(world, world.bob, fresh) == "done"


def test_a_clock_that_jumps_back_an_hour_gives_nobody_two_holders(world: World) -> None:
    world.add_picture()
    lease = world.lease(world.ann)
    world.clock.move(-3600)
    assert world.next_task(world.bob) is None
    world.clock.move(7200)
    other = world.lease(world.bob)
    world.clock.move(-3600)
    with pytest.raises(LeaseLostError):
        finish(world, world.ann, lease)
    assert finish(world, world.bob, other) == "done"


def test_a_late_holder_goes_on_when_nobody_came_meanwhile(world: World) -> None:
    world.add_picture()
    lease = world.lease(world.ann)
    world.clock.move(5000)
    task, lease_s = world.database.write(lambda session: queue.heartbeat(session, world.ann, lease, world.clock()))
    assert task.expires_at is not None
    assert (task.expires_at - world.clock()).total_seconds() == lease_s == 900


def test_what_was_skipped_goes_to_others_and_out_of_the_queue_when_nobody_is_left(world: World) -> None:
    world.add_picture()
    states = []
    for who in (world.ann, world.bob, world.rob, world.ada):
        lease = world.lease(who)
        states.append(skip(world, who, lease))
        assert world.next_task(who) is None
    assert states == ["waiting", "waiting", "waiting", "skipped"]


def test_a_finished_task_stays_finished_however_often_it_is_said(world: World) -> None:
    world.add_picture()
    lease = world.lease(world.ann)
    assert [finish(world, world.ann, lease) for _ in range(3)] == ["done"] * 3
    assert world.next_task(world.ann) is None


def test_a_released_task_waits_again(world: World) -> None:
    world.add_picture()
    lease = world.lease(world.ann)
    world.database.write(lambda session: queue.release(session, world.ann, lease, world.clock()))
    assert must(world.next_task(world.bob)).id == lease.task_id


def test_reviews_follow_where_the_project_has_them_and_are_for_reviewers(world: World) -> None:
    project = world.add_project("reviewed", review=True)
    world.add_picture("r.png", 5, project)
    world.project = project
    finish(world, world.ann, world.lease(world.ann))
    with pytest.raises(NotAllowedError):
        world.next_task(world.ann, kind="review")
    task = must(world.next_task(world.rob, kind="review"))
    assert finish(world, world.rob, Lease(task.id, task.token)) == "done"


def test_a_picture_is_opened_out_of_order_unless_somebody_holds_it(world: World) -> None:
    _, second = world.add_pictures(2)

    def open_it(who: Identity) -> TaskRow:
        return world.database.write(
            lambda s: queue.open_task(s, who, get_picture(s, second.id), world.project, world.clock())
        )

    task = open_it(world.ann)
    assert open_it(world.ann).token == task.token
    with pytest.raises(TakenError, match="Ann is working"):
        open_it(world.bob)
    finish(world, world.ann, Lease(task.id, task.token))
    assert open_it(world.bob).token == task.token + 1


def test_what_is_sent_back_comes_before_new_pictures_with_the_comment(world: World) -> None:
    first, _, third = world.add_pictures(3)
    lease = world.lease(world.ann)
    finish(world, world.ann, lease)
    world.database.write(lambda session: queue.send_back(session, get_picture(session, first.id), "the handle"))
    task = must(world.next_task(world.bob))
    assert (task.image_id, task.comment) == (first.id, "the handle")
    assert third.id != first.id


def test_the_next_pictures_are_embedded_first(world: World) -> None:
    images = world.add_pictures(6)
    found = world.database.write(
        lambda s: queue.next_task(s, world.ann, world.project, world.clock(), model_sha256=MODEL)
    )
    assert found is not None
    assert found[1] == [image.id for image in images[1:4]]
    late = world.add_picture("late.png", 99)
    world.database.write(lambda s: queue.next_task(s, world.bob, world.project, world.clock(), model_sha256=MODEL))
    order = []
    while (held := world.database.write(lambda s: jobs.take_job(s, ["embed"], world.clock()))) is not None:
        order.append(held.payload["image_sha256"])
    shas = [image.sha256 for image in images]
    assert order == [shas[0], shas[1], shas[2], shas[3], shas[4], shas[5], late.sha256]


def test_a_lease_is_of_one_picture_and_one_person(world: World) -> None:
    first, second = world.add_pictures(2)
    lease = world.lease(world.ann)

    def use(who: Identity, image_id: int) -> None:
        world.database.write(lambda session: queue.use_lease(session, who, image_id, lease, world.clock()))

    use(world.ann, first.id)
    with pytest.raises(LeaseLostError, match="another picture"):
        use(world.ann, second.id)
    with pytest.raises(LeaseLostError):
        use(world.bob, first.id)
    with pytest.raises(NotThereError):
        world.database.write(lambda s: queue.use_lease(s, world.ann, first.id, Lease(999, 1), world.clock()))
