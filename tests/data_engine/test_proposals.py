"""Proposed masks: where they come from, when they are replaced, and what people make of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from anymask.data_engine import deployment, journal, pictures, projects, statistics
from anymask.data_engine.jobs import get_job, list_jobs
from anymask.data_engine.mask_rows import ACCEPTED, MODEL, PROPOSED, REJECTED, to_rle
from anymask.data_engine.model_shelf import ModelShelf
from anymask.data_engine.proposals import Proposer
from anymask.data_engine.semi_automatic import ask_all_proposals, deploy_detector, find_detector
from anymask.data_engine.tables import EmbeddingRow, ImageRow, JobRow, ProjectRow
from anymask.data_engine.worker import Worker
from anymask.errors import LeaseLostError
from anymask.masks.overlap import rle_iou_matrix
from anymask.model.weights import load
from anymask.predict.predictor import Predictor
from anymask.server.mask_schemas import Mask
from anymask.server.views import mask_of
from tests.cli.small_model import write_small_model
from tests.data_engine.detectors import ANY, Numbers, SemiAutomatic, detector_of
from tests.data_engine.world import World, checked


@pytest.fixture(scope="module")
def predictor(small_model: Path) -> Predictor:
    return Predictor(load(small_model))


@pytest.fixture
def stage(world: World, predictor: Predictor) -> SemiAutomatic:
    return SemiAutomatic(world, predictor)


@pytest.fixture
def image(stage: SemiAutomatic) -> ImageRow:
    """A picture with proposals."""
    made = stage.add_picture()
    stage.deploy()
    assert stage.work() == 1
    return made


def test_proposals_say_all_that_is_known_of_them(stage: SemiAutomatic, image: ImageRow) -> None:
    rows = stage.proposed(image)
    assert 1 <= len(rows) <= 6
    detector = stage.world.database.read(lambda session: find_detector(session))
    assert detector is not None
    for order, row in enumerate(rows, 1):
        assert (row.origin, row.author_id, row.stage, row.version, row.order) == (
            MODEL,
            None,
            "semi_automatic",
            1,
            order,
        )
        assert row.model_sha256 == stage.predictor.model_sha256()
        assert row.first_answer_iou == 1.0
        shown: Mask = mask_of(row, image)
        assert shown.provenance.tool == "detector"
        assert shown.provenance.detector_sha256 == detector.sha256
        assert 0 <= (shown.provenance.detector_score or -1) <= 1
        (prompt,) = shown.provenance.prompts
        assert prompt.box is not None
        assert 0 <= prompt.box.x0 < prompt.box.x1 <= image.width
        assert shown.provenance.predicted_iou is not None
        assert shown.provenance.stability is not None
    scores = [row.provenance["detector_score"] * row.provenance["predicted_iou"] for row in rows]
    assert scores == sorted(scores, reverse=True)


def test_a_job_done_twice_proposes_the_same(stage: SemiAutomatic, image: ImageRow) -> None:
    before = [(row.id, row.counts) for row in stage.masks(image)]
    (job,) = stage.jobs()
    write = stage.world.database.write
    write(lambda session: setattr(get_job(session, job.id), "state", "waiting"))
    assert stage.work() == 1
    assert [(row.id, row.counts) for row in stage.masks(image)] == before


def test_a_worker_that_lost_its_job_changes_nothing(stage: SemiAutomatic) -> None:
    image = stage.add_picture()
    stage.deploy()
    held = stage.take()
    assert held is not None
    with pytest.raises(LeaseLostError):
        stage.proposer(replace(held, token=held.token - 1))
    assert stage.masks(image) == []
    stage.proposer(held)
    assert stage.proposed(image) != []


def test_the_embedding_that_is_there_is_read_and_a_lost_one_is_made_again(
    stage: SemiAutomatic, image: ImageRow
) -> None:
    world, before = stage.world, [row.counts for row in stage.masks(image)]
    world.database.write(lambda session: session.execute(delete(JobRow)))
    stage.deploy(0)
    world.database.write(lambda session: session.execute(delete(EmbeddingRow)))
    assert stage.work() == 1
    # The stored one is in half precision: a mask on the edge of a limit may come or go.
    assert len({row.counts for row in stage.masks(image)} & set(before)) >= len(before) - 2
    # The picture's file is out of reach: only the embedding is left.
    world.database.write(lambda session: session.execute(delete(JobRow)))
    world.database.write(lambda s: pictures.ask_embedding(s, image, stage.predictor.model_sha256(), world.clock()))
    stage.embed_all()
    missing = update(ImageRow).where(ImageRow.id == image.id).values(pixels_key="f" * 64)
    world.database.write(lambda session: session.execute(missing))
    stage.deploy(0)
    stage.work()
    assert [row.counts for row in stage.masks(image)] == before


def test_a_better_detector_replaces_proposals_that_nobody_touched(stage: SemiAutomatic, image: ImageRow) -> None:
    before = {row.id for row in stage.proposed(image)}
    stage.deploy(1)
    assert stage.work() == 1
    after = {row.id for row in stage.proposed(image)}
    assert after
    assert not after & before
    assert {row.id for row in stage.masks(image)} == after
    entries = stage.world.database.read(lambda session: journal.read(session, stage.project.id))
    told = [entry.details for entry in entries if entry.kind == "propose"]
    assert [(one["masks"], one["withdrawn"]) for one in told] == [(len(before), 0), (len(after), len(before))]


@pytest.mark.parametrize("kind", ["accept", "reject", "replace", "relabel", "delete"])
def test_a_picture_on_which_somebody_decided_is_left_as_it_is(stage: SemiAutomatic, image: ImageRow, kind: str) -> None:
    world, (first, *_) = stage.world, stage.proposed(image)
    answer = world.apply(world.rob, image, world.change(kind, first.id, base_version=1, label="cup"))
    assert answer.results[0].outcome == "applied"
    before = [(row.id, row.version) for row in stage.masks(image)]
    stage.deploy(1)
    stage.work()
    assert [(row.id, row.version) for row in stage.masks(image)] == before
    assert "somebody" in stage.jobs()[-1].message


@pytest.mark.parametrize(("state", "is_left"), [("done", True), ("skipped", True), ("waiting", False)])
def test_only_pictures_of_the_queue_are_refreshed(
    stage: SemiAutomatic, image: ImageRow, state: str, is_left: bool
) -> None:
    before = {row.id for row in stage.masks(image)}
    stage.deploy(1)
    stage.set_task(image, state)
    stage.work()
    assert ({row.id for row in stage.masks(image)} == before) == is_left


def test_a_picture_in_somebodys_hands_is_left_and_one_whose_lease_ran_out_is_not(
    stage: SemiAutomatic, image: ImageRow
) -> None:
    before, clock = {row.id for row in stage.masks(image)}, stage.world.clock
    stage.set_task(image, "leased", clock() + timedelta(minutes=1))
    stage.deploy(1)
    stage.work()
    assert {row.id for row in stage.masks(image)} == before
    clock.move(120)
    stage.deploy(2)
    stage.work()
    assert not {row.id for row in stage.masks(image)} & before


def test_what_people_made_is_not_proposed_again(stage: SemiAutomatic, image: ImageRow) -> None:
    """A mask drawn by hand beforehand, of the same pixels as a proposal, is in its way."""
    copy = stage.proposed(image)
    other = stage.add_picture(0, stage.world.add_project("twin", stage="semi_automatic"))
    same = replace(checked(), rle=replace(checked().rle, counts=copy[0].counts.encode()))
    stage.world.apply(stage.world.rob, other, stage.world.change("create", mask=same))
    stage.deploy(0)
    stage.work()
    proposed = stage.proposed(other)
    assert 0 < len(proposed) < len(copy)
    assert max(rle_iou_matrix([to_rle(row, other) for row in proposed], [same.rle])) < ANY.overlap


def test_a_project_that_left_the_stage_and_an_older_detector_propose_nothing(stage: SemiAutomatic) -> None:
    image = stage.add_picture()
    stage.deploy(0)
    held = stage.take()
    assert held is not None
    stage.deploy(1)
    stage.proposer(held)
    assert stage.masks(image) == []
    leave = update(ProjectRow).where(ProjectRow.id == stage.project.id).values(settings={"stage": "assisted"})
    stage.world.database.write(lambda session: session.execute(leave))
    stage.work()
    assert stage.masks(image) == []


def test_the_detector_of_an_earlier_model_proposes_nothing_while_the_current_model_has_its_own(
    stage: SemiAutomatic, tmp_path: Path
) -> None:
    world, image = stage.world, stage.add_picture()
    newer = Predictor(load(write_small_model(tmp_path / "newer.safetensors", is_sure=False)))
    for predictor in (stage.predictor, newer):
        (tmp_path / f"decoder-{predictor.model_sha256()}.onnx").write_bytes(b"made before")
    deployment.deploy(world.database, world.blobs, stage.predictor.model, "older", tmp_path)
    stage.deploy(0)
    held = stage.take()
    assert held is not None
    deployment.deploy(world.database, world.blobs, newer.model, "newer", tmp_path)
    deploy_detector(world.database, world.blobs, detector_of(newer), Numbers(), ANY)
    stage.proposer(held)
    stage.end(held)
    assert stage.masks(image) == []
    # Back at the earlier model, its detector is asked again.
    world.database.write(
        lambda session: deployment.make_current(
            session, world.database, stage.predictor.model_sha256(), deployment.ROLLBACK, note=""
        )
    )
    world.database.write(lambda session: ask_all_proposals(session, stage.project.id, now=world.clock()))
    assert stage.work() == 1
    assert stage.proposed(image) != []


def test_a_worker_that_cannot_have_the_model_sets_the_job_aside_and_says_why(
    stage: SemiAutomatic, tmp_path: Path
) -> None:
    stage.add_picture()
    other = load(write_small_model(tmp_path / "other.safetensors", is_sure=False))
    stage.deploy(1)
    database, blobs = stage.world.database, stage.world.blobs
    shelf = ModelShelf(database, blobs, lambda: other)
    assert Worker(database, {"propose": Proposer(database, blobs, shelf)}).run_once()
    job = stage.jobs()[-1]
    assert job.state == "set_aside"
    assert stage.predictor.model_sha256()[:12] in job.message
    shown = database.read(lambda session: list_jobs(session, stage.project.id))
    assert [row.id for row in shown] == [job.id]


def states(stage: SemiAutomatic, image: ImageRow) -> list[tuple[str, bool]]:
    return [(row.state, row.deleted) for row in stage.masks(image)]


def test_every_decision_can_be_taken_back_and_none_counts_before_it_is_made(
    stage: SemiAutomatic, image: ImageRow
) -> None:
    world, rows = stage.world, stage.proposed(image)
    assert len(rows) >= 3
    first, second, third = rows[:3]
    for row, kind in ((first, "accept"), (second, "reject"), (third, "replace")):
        world.apply(world.rob, image, world.change(kind, row.id, base_version=1))
    assert states(stage, image)[:3] == [(ACCEPTED, False), (REJECTED, False), (ACCEPTED, False)]
    assert counted(stage, image) == 2
    for row in (first, second, third):
        answer = world.apply(world.rob, image, world.change("undecide", row.id, base_version=2))
        assert answer.results[0].outcome == "applied"
    assert states(stage, image)[:3] == [(PROPOSED, False)] * 3
    assert counted(stage, image) == 0


def counted(stage: SemiAutomatic, image: ImageRow) -> int:
    (view,) = stage.world.database.read(lambda session: pictures.view(session, [image.id], None))
    counts = stage.world.database.read(lambda session: projects.count(session, [stage.project.id]))
    assert counts[stage.project.id].masks == view.masks
    return view.masks


def test_a_mask_that_a_person_made_cannot_be_undecided(stage: SemiAutomatic, image: ImageRow) -> None:
    world = stage.world
    made = world.change("create")
    world.apply(world.rob, image, made)
    (result,) = world.apply(world.rob, image, world.change("undecide", made.mask_id, base_version=1)).results
    assert result.outcome == "refused"
    assert "a person made it" in (result.message or "")


def test_a_fixed_proposal_keeps_its_detector_and_is_measured_against_it(stage: SemiAutomatic, image: ImageRow) -> None:
    world, (first, *_) = stage.world, stage.proposed(image)
    world.apply(world.rob, image, world.change("replace", first.id, base_version=1))
    (fixed, *_) = stage.masks(image)
    assert fixed.provenance["detector_sha256"] == first.provenance["detector_sha256"]
    assert fixed.provenance["detector_score"] == first.provenance["detector_score"]
    assert fixed.provenance["tool"] == "click"
    assert 0 <= (fixed.first_answer_iou if fixed.first_answer_iou is not None else -1) < 1


def test_what_people_made_of_proposals_is_in_the_journal_and_the_statistics(
    stage: SemiAutomatic, image: ImageRow
) -> None:
    world, rows = stage.world, stage.proposed(image)
    accepted, dropped, fixed, *undecided = rows
    for row, kind in ((accepted, "accept"), (dropped, "reject"), (fixed, "replace")):
        world.apply(world.rob, image, world.change(kind, row.id, base_version=1))
    world.apply(world.rob, image, world.change("create"))
    entries = world.database.read(lambda session: journal.read(session, stage.project.id))
    assert [entry.kind for entry in entries if entry.details.get("was") == "proposed"] == [
        "accept",
        "reject",
        "replace",
    ]
    found = world.database.read(lambda session: statistics.compute(session, stage.project.id)).proposals
    assert (found.proposed, found.undecided) == (len(rows), len(undecided))
    assert (found.as_given, found.fixed, found.dropped) == (1, 1, 1)
    assert found.acceptance == pytest.approx(2 / 3)
    assert found.fixed_iou.count == 1
    assert found.seconds_per_added_mask == statistics.Spread(1, 2.0, 2.0, 2.0, 2.0)
    assert found.masks_per_image == statistics.Spread(0)
    stage.set_task(image, "done")
    found = world.database.read(lambda session: statistics.compute(session, stage.project.id)).proposals
    assert (found.masks_per_image.mean, found.added_per_image.mean) == (3.0, 1.0)
    every = world.database.read(lambda session: statistics.compute(session, stage.project.id)).all
    # One was accepted as given: it counts, and took nobody's time.
    assert (every.masks, every.seconds_per_mask.count, every.clicks_per_mask.count) == (3, 2, 2)
