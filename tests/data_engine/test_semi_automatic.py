"""Which detector is in use, and on which pictures it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from anymask.data_engine import projects, queue
from anymask.data_engine.embedding import Embedder
from anymask.data_engine.jobs import take_job
from anymask.data_engine.semi_automatic import ask_all_proposals, find_detector
from anymask.data_engine.tables import JournalRow
from anymask.model.weights import load
from anymask.predict.predictor import Predictor
from tests.data_engine.detectors import ANY, SemiAutomatic
from tests.data_engine.world import World


@pytest.fixture(scope="module")
def predictor(small_model: Path) -> Predictor:
    return Predictor(load(small_model))


@pytest.fixture
def stage(world: World, predictor: Predictor) -> SemiAutomatic:
    return SemiAutomatic(world, predictor)


def test_the_detector_deployed_last_is_in_use_for_its_model(stage: SemiAutomatic) -> None:
    first, second = stage.deploy(0, confidence=0.3), stage.deploy(1, confidence=0.4)
    model_sha256 = stage.predictor.model_sha256()
    read = stage.world.database.read
    assert read(lambda session: find_detector(session, model_sha256)) == second
    assert read(lambda session: find_detector(session)) == second
    assert read(lambda session: find_detector(session, "0" * 64)) is None
    assert (second.confidence, second.recall, second.precision, second.config) == (0.4, 0.5, 0.8, ANY)
    again = stage.deploy(0, confidence=0.3)
    assert again.sha256 == first.sha256
    assert read(lambda session: find_detector(session)) == again


def test_deploying_asks_for_proposals_on_pictures_of_this_stage_that_are_not_done(stage: SemiAutomatic) -> None:
    waiting, done = stage.add_picture(0), stage.add_picture(1)
    stage.add_picture(2, stage.world.add_project("first stage", stage="assisted"))
    stage.set_task(done, "done")
    stage.deploy()
    assert [job.payload["image_id"] for job in stage.jobs()] == [waiting.id]
    (entry,) = stage.world.database.read(
        lambda session: list(session.scalars(select(JournalRow).where(JournalRow.kind == "deploy_detector")))
    )
    assert entry.details["model_sha256"] == stage.predictor.model_sha256()


def test_asking_twice_makes_one_job_and_without_a_detector_none(stage: SemiAutomatic) -> None:
    stage.add_picture()
    write, now = stage.world.database.write, stage.world.clock()
    assert write(lambda session: ask_all_proposals(session, stage.project.id, now=now)) == 0
    stage.deploy()
    assert len(stage.jobs()) == 1
    assert write(lambda session: ask_all_proposals(session, stage.project.id, now=now)) == 0
    assert len(stage.jobs()) == 1


def test_a_detector_deployed_again_is_asked_again(stage: SemiAutomatic) -> None:
    stage.add_picture()
    for seed, jobs in ((0, 1), (1, 2), (0, 3)):
        stage.deploy(seed)
        assert len(stage.jobs()) == jobs


def test_an_embedded_picture_is_asked_about_before_the_next_is_embedded(stage: SemiAutomatic) -> None:
    stage.deploy()
    image, _ = stage.add_picture(0, is_embedded=False), stage.add_picture(1, is_embedded=False)
    world = stage.world
    assert world.database.write(lambda s: ask_all_proposals(s, stage.project.id, now=world.clock())) == 0
    held = world.database.write(lambda session: take_job(session, ["embed", "propose"], world.clock()))
    assert held is not None
    assert held.kind == "embed"
    Embedder(world.database, world.blobs, stage.shelf)(held)
    following = world.database.write(lambda session: take_job(session, ["embed", "propose"], world.clock()))
    assert following is not None
    assert (following.kind, following.payload["image_id"]) == ("propose", image.id)


def test_a_project_that_enters_the_stage_is_asked_about(stage: SemiAutomatic) -> None:
    stage.deploy()
    other = stage.world.add_project("later", stage="assisted")
    image = stage.add_picture(3, other)

    def change(settings: dict[str, str]) -> None:
        stage.world.database.write(
            lambda session: projects.change_project(
                session, other.id, name=None, instructions=None, settings=settings, now=stage.world.clock()
            )
        )

    change({"stage": "assisted"})
    assert stage.jobs() == []
    change({"stage": "semi_automatic"})
    assert [job.payload["image_id"] for job in stage.jobs()] == [image.id]


def test_pictures_that_come_soon_come_first_and_one_that_was_held_is_asked_again(stage: SemiAutomatic) -> None:
    first, second = stage.add_picture(0), stage.add_picture(1)
    stage.deploy()
    world = stage.world
    sha256 = stage.predictor.model_sha256()
    task = world.next_task(world.ann, model_sha256=sha256)
    assert task is not None
    assert task.image_id == first.id
    assert [(job.payload["image_id"], job.priority) for job in stage.jobs()] == [(first.id, 1), (second.id, 10)]
    # The picture in somebody's hands gets no proposals under them.
    assert stage.work() == 2
    assert stage.proposed(first) == []
    assert stage.proposed(second) != []
    lease = queue.Lease(task.id, task.token)
    world.database.write(lambda session: queue.release(session, world.ann, lease, world.clock()))
    other = world.database.write(lambda s: queue.open_task(s, world.bob, second, stage.project, world.clock()))
    assert other.image_id == second.id
    # Somebody asks for the next one: the first picture comes soon again.
    world.database.write(lambda session: ask_all_proposals(session, stage.project.id, now=world.clock()))
    assert stage.work() == 1
    assert stage.proposed(first) != []
