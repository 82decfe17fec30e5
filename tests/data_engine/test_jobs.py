import pytest

from anymask.data_engine import jobs
from anymask.data_engine.jobs import HeldJob
from anymask.errors import LeaseLostError, NotThereError, TakenError
from tests.data_engine.world import World


def add(world: World, subject: str, **options: int) -> int:
    return world.database.write(
        lambda s: jobs.add_job(s, "embed", subject, {"n": 1}, world.clock(), project_id=world.project.id, **options)
    ).id


def take(world: World) -> HeldJob | None:
    return world.database.write(lambda session: jobs.take_job(session, ["embed"], world.clock()))


def must_take(world: World) -> HeldJob:
    held = take(world)
    assert held is not None
    return held


def state(world: World, job_id: int) -> tuple[str, str]:
    row = world.database.read(lambda session: jobs.get_job(session, job_id))
    return row.state, row.message


def test_the_most_urgent_comes_first_and_each_subject_once(world: World) -> None:
    first, urgent = add(world, "a"), add(world, "b", priority=5)
    assert add(world, "a") == first
    assert [must_take(world).id for _ in range(2)] == [urgent, first]
    assert take(world) is None


def test_a_silent_workers_job_is_taken_over_within_a_minute_and_set_aside_after_three(world: World) -> None:
    job = add(world, "a")
    held = [must_take(world)]
    for _ in range(2):
        assert take(world) is None
        world.clock.move(31)
        held.append(must_take(world))
    assert [each.attempts for each in held] == [1, 2, 3]
    with pytest.raises(LeaseLostError):
        world.database.write(lambda session: jobs.finish(session, held[0], world.clock()))
    world.clock.move(31)
    assert take(world) is None
    assert state(world, job) == ("set_aside", "each of 3 workers that tried it ended; it was set aside")
    listed = world.database.read(lambda session: jobs.list_jobs(session, world.project.id))
    assert [row.id for row in listed] == [job]


def test_a_worker_that_renews_keeps_its_job(world: World) -> None:
    add(world, "a")
    held = must_take(world)
    for _ in range(4):
        world.clock.move(20)
        world.database.write(lambda session: jobs.renew(session, held, world.clock()))
        assert take(world) is None


def test_progress_and_problems_are_kept_for_who_comes_after(world: World) -> None:
    job = add(world, "a")
    held = must_take(world)
    world.database.write(
        lambda s: jobs.report(s, held, world.clock(), done=3, total=9, problems=["x"], progress={"offset": 512})
    )
    world.clock.move(31)
    again = must_take(world)
    assert again.progress == {"offset": 512}
    world.database.write(lambda session: jobs.finish(session, again, world.clock(), result_key="k"))
    row = world.database.read(lambda session: jobs.get_job(session, job))
    assert (row.state, row.done, row.total, row.problems, row.result_key) == ("done", 3, 9, ["x"], "k")


def test_a_failure_is_tried_again_unless_it_is_for_good(world: World) -> None:
    job = add(world, "a")
    for expected in ("waiting", "waiting", "set_aside"):
        held = must_take(world)
        world.database.write(lambda session, held=held: jobs.fail(session, held, world.clock(), "no luck"))
        assert state(world, job) == (expected, "no luck")
    world.database.write(lambda session: jobs.retry(session, job, world.clock()))
    held = must_take(world)
    world.database.write(lambda session: jobs.fail(session, held, world.clock(), "a bad file", for_good=True))
    assert state(world, job) == ("set_aside", "a bad file")


def test_a_cancelled_job_is_no_longer_its_workers(world: World) -> None:
    job = add(world, "a")
    held = must_take(world)
    world.database.write(lambda session: jobs.cancel(session, job, world.clock()))
    with pytest.raises(LeaseLostError):
        world.database.write(lambda session: jobs.renew(session, held, world.clock()))
    with pytest.raises(TakenError):
        world.database.write(lambda session: jobs.cancel(session, job, world.clock()))
    world.database.write(lambda session: jobs.retry(session, job, world.clock()))
    with pytest.raises(TakenError):
        world.database.write(lambda session: jobs.retry(session, job, world.clock()))
    with pytest.raises(NotThereError):
        world.database.read(lambda session: jobs.get_job(session, 999))


def test_a_job_that_gets_on_outlives_its_workers_and_one_that_does_not_is_set_aside(world: World) -> None:
    job = add(world, "a")
    for done in (10, 20, 30, 40, 50):
        held = must_take(world)
        note = {"n": done}
        world.database.write(
            lambda s, held=held, note=note: jobs.report(s, held, world.clock(), done=note["n"], total=90, progress=note)
        )
        world.clock.move(31)
    for _ in range(2):  # these begin anew, and come no further than the others
        held = must_take(world)
        assert held.progress == {"n": 50}
        world.database.write(lambda s, held=held: jobs.report(s, held, world.clock(), done=20, total=90))
        world.clock.move(31)
    assert take(world) is None
    assert state(world, job)[0] == "set_aside"


def test_a_job_that_is_handed_back_is_taken_at_once_and_lost_no_try(world: World) -> None:
    add(world, "a")
    for _ in range(4):
        held = must_take(world)
        assert held.attempts == 1
        world.database.write(lambda session, held=held: jobs.hand_back(session, held, world.clock()))
        with pytest.raises(LeaseLostError):
            world.database.write(lambda session, held=held: jobs.finish(session, held, world.clock()))
