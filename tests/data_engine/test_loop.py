import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from anymask.data_engine import deployment, loop, queue
from anymask.data_engine.loop import Candidate, Engine, Plan, Published, Scores, TurnHooks, new_masks, take_turn
from anymask.data_engine.mask_rows import check_mask
from anymask.data_engine.promote import GateConfig
from anymask.data_engine.store import Database
from anymask.data_engine.tables import ImageRow, MaskRow, TaskRow, TurnRow
from anymask.data_engine.turns import stages
from anymask.data_engine.turns.config import EngineConfig, ScoreConfig, StageConfig, StageTarget
from anymask.data_engine.turns.detecting import Detected
from anymask.data_engine.turns.freeze import DatasetVersion, choose_masks, freeze
from anymask.errors import DatasetError, NotThereError, RunError
from anymask.model.sam import Sam
from anymask.model.weights import load, model_hash, save
from tests.data_engine.turn_report import make_report
from tests.data_engine.turns.labelled_world import add_labelled, make_engine
from tests.data_engine.world import Clock, World, provenance, rectangle


@pytest.fixture
def database(migrated_sqlite: Path, tmp_path: Path, clock: Clock) -> Iterator[Database]:
    """On SQLite alone: the turn asks nothing special of it; its parts are tested on both."""
    shutil.copy(migrated_sqlite, tmp_path / "test.db")
    opened = Database(f"sqlite:///{tmp_path / 'test.db'}", clock=clock)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def model(small_model: Path) -> Sam:
    return load(small_model)


STRICT = GateConfig(least_gain=0.9, guards=())


@pytest.fixture
def engine(world: World, model: Sam, tmp_path: Path) -> Engine:
    for seed in range(6):
        add_labelled(world, seed)
    until = StageConfig(recipe="finetune_decoder", steps=1, until=StageTarget(turns=1))
    made = make_engine(world, model, tmp_path / "engine", gate=STRICT, assisted=until)
    for seed in range(6, 8):
        add_labelled(world, seed, done=False)
    return made


def test_an_engine_needs_its_project_and_a_model_with_weights(world: World, model: Sam, tmp_path: Path) -> None:
    engine = make_engine(world, model, tmp_path / "engine")
    assert engine.current_model() == model_hash(model)
    assert engine.model(model_hash(model)).config == model.config
    with pytest.raises(NotThereError, match="no project called 'plates'"):
        Engine(tmp_path, replace(engine.config, project="plates"), world.database, world.blobs, tmp_path)


def test_masks_are_new_until_a_turn_that_ended_has_learned_from_them(engine: Engine) -> None:
    assert new_masks(engine) == 12


@pytest.mark.slow
def test_a_turn_that_does_not_pass_the_gate_changes_nothing_but_the_queue_and_the_stage(
    engine: Engine, model: Sam
) -> None:
    steps: list[str] = []
    report = take_turn(engine, TurnHooks(begins=steps.append))
    assert report is not None
    assert not report.decision.promote
    assert engine.current_model() == report.model_before == report.model_after == model_hash(model)
    assert report.candidate != report.model_before
    assert report.version.masks == {part: 2 * count for part, count in report.version.pictures.items()}
    assert (report.stage, report.next_stage) == ("assisted", "semi_automatic")
    assert report.detected is not None
    assert report.queue.pictures == 2
    assert steps[:4] == ["choose masks", "freeze the dataset version", "retrain", "score both models"]
    assert "keep the model" in steps
    folder = engine.turns.finished()[0].path
    assert engine.turns.finished()[0].read("config", EngineConfig) == engine.config
    text = (folder / "model_card.md").read_text()
    assert text.startswith("# Model card: turn 1")
    assert (folder / "training" / "metrics.jsonl").is_file()
    row = engine.database.read(lambda session: session.get(TurnRow, (engine.project_id, 1)))
    assert row is not None
    assert row.report["candidate"] == report.candidate
    assert new_masks(engine) == 0
    only_new = replace(engine.config, learn_from="new")
    assert len(Engine(engine.folder, only_new, engine.database, engine.blobs, engine.cache).turns.finished()) == 1


@pytest.mark.slow
def test_a_training_that_fails_leaves_the_model_and_the_turn_goes_on_when_that_is_mended(
    engine: Engine, world: World
) -> None:
    before = engine.current_model()
    broken = replace(engine.config, assisted=StageConfig(recipe="no_such_recipe", steps=1))
    with pytest.raises(RunError, match="no_such_recipe"):
        take_turn(Engine(engine.folder, broken, engine.database, engine.blobs, engine.cache))
    assert engine.current_model() == before
    plan = engine.turns.begin().read("plan", Plan)
    # What is accepted meanwhile is for the next turn.
    add_labelled(world, 20)
    report = take_turn(engine)
    assert report is not None
    assert report.begun_at == plan.begun_at
    assert new_masks(engine) == 2


@pytest.mark.slow
def test_told_to_stop_a_turn_goes_on_another_time(engine: Engine) -> None:
    assert take_turn(engine, TurnHooks(should_stop=lambda: True)) is None
    assert engine.turns.finished() == []
    assert take_turn(engine) is not None
    assert len(engine.database.read(deployment.list_deployments)) == 1


def test_a_turn_with_nothing_to_learn_from_is_not_begun_and_goes_when_there_is_something(engine: Engine) -> None:
    broken = replace(engine.config, assisted=StageConfig(recipe="no_such_recipe", steps=1))
    stopped_later = Engine(engine.folder, broken, engine.database, engine.blobs, engine.cache)
    engine.database.write(lambda session: session.execute(update(MaskRow).values(state="rejected")))
    with pytest.raises(DatasetError, match="annotate and finish pictures first"):
        take_turn(stopped_later)
    engine.database.write(lambda session: session.execute(update(MaskRow).values(state="accepted")))
    with pytest.raises(RunError, match="no_such_recipe"):
        take_turn(stopped_later)
    assert len(engine.turns.begin().read("plan", Plan).masks) == 12


def test_a_turn_that_nothing_could_decide_about_is_not_begun(engine: Engine) -> None:
    nothing_held = replace(engine.config, held_share=1e-9)
    alone = Engine(engine.folder, nothing_held, engine.database, engine.blobs, engine.cache)
    with pytest.raises(DatasetError, match="none of the 6 pictures with masks is held back"):
        take_turn(alone)
    assert not engine.turns.begin().has("plan")
    decided = replace(
        nothing_held,
        score=ScoreConfig(clicks=1, benchmark=("held.tar",)),
        assisted=StageConfig(recipe="no_such_recipe", steps=1),
    )
    with pytest.raises(RunError, match="no_such_recipe"):
        take_turn(Engine(engine.folder, decided, engine.database, engine.blobs, engine.cache))


def planned(engine: Engine) -> set[tuple[str, int]]:
    """The masks and versions that the next turn learns from, of which only the plan and the dataset are made."""
    broken = replace(engine.config, assisted=StageConfig(recipe="no_such_recipe", steps=1))
    with pytest.raises(RunError, match="no_such_recipe"):
        take_turn(Engine(engine.folder, broken, engine.database, engine.blobs, engine.cache))
    turn = engine.turns.begin()
    masks = turn.read("plan", Plan).masks
    assert sum(turn.read("dataset", DatasetVersion).masks.values()) == len(masks)
    turn.keep("turn", make_report(turn.number))
    return {(one.mask, one.version) for one in masks}


def test_the_new_masks_alone_are_learned_from_where_that_is_configured(engine: Engine, world: World) -> None:
    engine = Engine(
        engine.folder, replace(engine.config, learn_from="new"), engine.database, engine.blobs, engine.cache
    )
    first = planned(engine)
    assert len(first) == 12
    with pytest.raises(DatasetError, match="annotate and finish pictures first"):
        take_turn(engine)
    image = add_labelled(world, 20)
    # What was corrected since is new again.
    corrected, version = sorted(first)[0]
    row = engine.database.read(lambda session: session.get_one(MaskRow, corrected))
    task = world.database.write(
        lambda s: queue.open_task(s, world.ann, s.get_one(ImageRow, row.image_id), world.project, world.clock())
    )
    lease = queue.Lease(task.id, task.token)
    mask = check_mask(rectangle(1, 2, 20, 30, (64, 64)), (64, 64), provenance=provenance())
    change = world.change("replace", corrected, base_version=version, mask=mask)
    world.apply(world.ann, engine.database.read(lambda s: s.get_one(ImageRow, row.image_id)), change, lease=lease)
    world.database.write(lambda s: queue.finish(s, world.ann, lease, world.clock()))
    fresh = engine.database.read(lambda s: {one.id for one in s.query(MaskRow) if one.image_id == image.id})
    assert planned(engine) == {(corrected, version + 1), *((one, 1) for one in fresh)}
    # In the last stage nobody annotates, so that there is nothing new: all of them, beside those made alone.
    engine.database.write(lambda session: stages.set_stage(session, engine.project_id, "automatic"))
    plan = loop._choose(engine, engine.turns.begin())
    assert len(plan.masks) == 14


DETECTED = Detected(recall=0.1, precision=0.8, confidence=0.5, boxes_a_picture=2.0, pictures=4, held_pictures=2)


def keep_until(step: str, engine: Engine, model: Sam, deployment: int | None = None) -> None:
    """A turn that is done up to this step; its candidate is the model that is there."""
    engine.turns.root.mkdir(exist_ok=True)
    turn, sha256, report = engine.turns.begin(), model_hash(model), make_report()
    turn.keep("plan", Plan(number=turn.number, begun_at="2026", stage="assisted", model_sha256=sha256, masks=()))
    (turn.path / "training").mkdir()
    save(model, turn.path / "training" / "model.safetensors")
    done = {
        "dataset": replace(report.version, pictures={"train": 9, "held": 0}),
        "candidate": Candidate(sha256=sha256),
        "scores": Scores(models=report.scores),
        "decision": report.decision,
        "published": Published(deployment=deployment),
    }
    for name in list(done)[: list(done).index(step) + 1]:
        turn.keep(name, done[name])


def test_a_scoring_that_fails_leaves_the_model_and_the_turn_goes_on_when_that_is_mended(
    engine: Engine, model: Sam, tmp_path: Path
) -> None:
    keep_until("candidate", engine, model)
    choices = engine.database.read(lambda session: choose_masks(session, engine.project_id))
    freeze(engine.database, engine.blobs, choices, tmp_path / "d", held_share=1e-9, seed=0)
    shard = tmp_path / "d" / "train.tar"
    (tmp_path / "cut.tar").write_bytes(shard.read_bytes()[:3000])
    deployed = engine.database.read(deployment.list_deployments)

    def scored_on(path: Path) -> Engine:
        config = replace(
            engine.config, score=ScoreConfig(clicks=1, benchmark=(str(path),)), assisted=StageConfig(steps=1)
        )
        return Engine(engine.folder, config, engine.database, engine.blobs, engine.cache)

    for broken in (tmp_path / "nowhere.tar", tmp_path / "cut.tar"):
        with pytest.raises(DatasetError, match=broken.name):
            take_turn(scored_on(broken))
        assert len(engine.database.read(deployment.list_deployments)) == len(deployed)
        assert engine.current_model() == model_hash(model)
    report = take_turn(scored_on(shard))
    assert report is not None
    assert not report.decision.promote
    assert engine.current_model() == model_hash(model)


def test_where_there_is_too_little_for_a_detector_the_turn_ends_and_says_so(engine: Engine, model: Sam) -> None:
    keep_until("published", engine, model)
    choices = engine.database.read(lambda session: choose_masks(session, engine.project_id))
    folder = engine.turns.begin().path / "dataset"
    freeze(engine.database, engine.blobs, choices[:2], folder, held_share=1e-9, seed=0)
    report = take_turn(engine)
    assert report is not None
    assert (report.next_stage, report.detected) == ("semi_automatic", None)
    assert "no mask to measure on among 1 pictures" in report.no_detector
    assert engine.turns.unfinished() is None


def test_skipped_pictures_come_again_for_a_new_model_alone_and_get_its_proposals(
    engine: Engine, world: World, model: Sam, monkeypatch: pytest.MonkeyPatch
) -> None:
    skipped = world.database.read(lambda s: s.query(TaskRow).filter_by(state="waiting").first())
    assert skipped is not None
    leave = update(TaskRow).where(TaskRow.id == skipped.id).values(state="skipped")
    seen: list[str] = []

    def state() -> str:
        return world.database.read(lambda s: s.get_one(TaskRow, skipped.id)).state

    def detect(*_: object) -> Detected:
        seen.append(state())
        return DETECTED

    monkeypatch.setattr(loop, "_detect", detect)
    for promoted, expected in ((None, "skipped"), (7, "waiting")):
        world.database.write(lambda session: session.execute(leave))
        engine.database.write(lambda session: stages.set_stage(session, engine.project_id, "assisted"))
        keep_until("published", engine, model, promoted)
        report = take_turn(engine)
        assert report is not None
        assert (state(), seen[-1], report.queue.returned) == (expected, expected, int(promoted is not None))
