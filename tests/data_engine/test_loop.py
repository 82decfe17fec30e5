import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from anymask.data_engine import deployment
from anymask.data_engine.loop import Engine, Plan, TurnHooks, new_masks, take_turn
from anymask.data_engine.promote import GateConfig
from anymask.data_engine.store import Database
from anymask.data_engine.tables import MaskRow, TurnRow
from anymask.data_engine.turns.config import StageConfig, StageTarget
from anymask.errors import DatasetError, NotThereError, RunError
from anymask.model.sam import Sam
from anymask.model.weights import load, model_hash
from tests.data_engine.turns.labelled_world import add_labelled, make_engine
from tests.data_engine.world import Clock, World


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
