import threading
import time
from datetime import datetime
from typing import Any

import pytest

from anymask.data_engine import jobs
from anymask.data_engine.jobs import HeldJob
from anymask.data_engine.worker import Worker
from anymask.errors import ImageError, StoreError
from tests.data_engine.world import World


def add(world: World, subject: str) -> int:
    return world.database.write(lambda s: jobs.add_job(s, "embed", subject, {}, world.clock())).id


def state(world: World, job_id: int) -> tuple[str, str, str | None]:
    row = world.database.read(lambda session: jobs.get_job(session, job_id))
    return row.state, row.message, row.result_key


def test_jobs_are_done_one_after_the_other(world: World) -> None:
    done: list[int] = []

    def handle(held: HeldJob) -> str:
        done.append(held.id)
        return "key"

    ids = [add(world, name) for name in "abc"]
    worker = Worker(world.database, {"embed": handle})
    assert [worker.run_once() for _ in range(4)] == [True, True, True, False]
    assert done == ids
    assert {state(world, job) for job in ids} == {("done", "", "key")}


@pytest.mark.parametrize(
    ("error", "tries", "reason"),
    [
        (ImageError("the file is cut"), 1, "the file is cut"),
        (StoreError("no space"), 3, "no space"),
        (RuntimeError("out of memory"), 3, "RuntimeError: out of memory"),
    ],
)
def test_a_failure_is_named_and_the_next_job_is_done(world: World, error: Exception, tries: int, reason: str) -> None:
    seen: list[int] = []
    bad, good = add(world, "bad"), add(world, "good")

    def handle(held: HeldJob) -> None:
        seen.append(held.id)
        if held.id == bad:
            raise error

    worker = Worker(world.database, {"embed": handle})
    while worker.run_once():
        pass
    assert seen.count(bad) == tries
    assert state(world, bad) == ("set_aside", reason, None)
    assert state(world, good)[0] == "done"


def test_a_job_that_was_cancelled_meanwhile_is_left(world: World) -> None:
    job = add(world, "a")

    def handle(held: HeldJob) -> None:
        world.database.write(lambda session: jobs.cancel(session, held.id, world.clock()))

    Worker(world.database, {"embed": handle}).run_once()
    assert state(world, job)[0] == "cancelled"


def test_a_long_job_keeps_its_lease_and_the_worker_stops_when_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anymask.data_engine.worker._RENEW_S", 0.02)
    job = add(world, "a")
    renewed, stop = threading.Event(), threading.Event()
    real = jobs.renew

    def renew(*arguments: Any) -> datetime:
        last = real(*arguments)
        renewed.set()
        return last

    monkeypatch.setattr(jobs, "renew", renew)

    def handle(_: HeldJob) -> None:
        assert renewed.wait(20)
        stop.set()

    Worker(world.database, {"embed": handle}, poll_s=0.01).run(stop)
    assert state(world, job)[0] == "done"


def test_a_job_without_progress_is_given_up_and_set_aside_after_three_tries(world: World) -> None:
    job, told = add(world, "a"), []

    def handle(_: HeldJob) -> None:
        given_up.wait(60)

    for tries in (1, 2, 3):
        given_up = threading.Event()

        def on_hung(reason: str, given_up: threading.Event = given_up) -> None:
            told.append(reason)
            given_up.set()

        Worker(world.database, {"embed": handle}, hung_s=0.3, on_hung=on_hung).run_once()
        assert state(world, job)[0] == ("waiting" if tries < 3 else "set_aside")
    assert "no progress in 0.3 s" in state(world, job)[1]
    assert len(told) == 3


def test_a_hung_worker_is_told_of_also_when_the_database_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    add(world, "a")
    told: list[str] = []
    given_up = threading.Event()

    def away(*_: object, **__: object) -> None:
        raise StoreError("the database is away")

    def on_hung(reason: str) -> None:
        told.append(reason)
        given_up.set()

    monkeypatch.setattr("anymask.data_engine.worker.jobs.fail", away)
    Worker(world.database, {"embed": lambda _: str(given_up.wait(60))}, hung_s=0.3, on_hung=on_hung).run_once()
    assert len(told) == 1


def test_a_job_that_reports_progress_may_take_as_long_as_it_needs(world: World) -> None:
    job, told = add(world, "a"), []

    def handle(held: HeldJob) -> None:
        for done in range(12):
            world.clock.move(1)
            world.database.write(lambda s, done=done: jobs.report(s, held, world.clock(), done=done, total=12))
            time.sleep(0.1)

    Worker(world.database, {"embed": handle}, hung_s=0.6, on_hung=told.append).run_once()
    assert (state(world, job)[0], told) == ("done", [])


def test_what_a_worker_hands_back_is_another_ones_and_no_try_is_lost(world: World) -> None:
    job, begun, ended = add(world, "a"), threading.Event(), threading.Event()
    seen: list[int] = []

    def handle(held: HeldJob) -> None:
        seen.append(held.attempts)
        if len(seen) == 1:
            begun.set()
            ended.wait(60)

    first = Worker(world.database, {"embed": handle})
    first.hand_back()  # nothing to hand back
    thread = threading.Thread(target=first.run_once)
    thread.start()
    assert begun.wait(60)
    first.hand_back()
    Worker(world.database, {"embed": handle}).run_once()
    ended.set()
    thread.join()
    assert (state(world, job)[0], seen) == ("done", [1, 1])
