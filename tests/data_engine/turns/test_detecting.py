from pathlib import Path

import pytest

from anymask.data_engine.loop import TurnHooks
from anymask.data_engine.semi_automatic import find_detector
from anymask.data_engine.turns.config import EngineConfig
from anymask.data_engine.turns.detecting import make_detector
from anymask.data_engine.turns.folder import StoppedError
from anymask.data_engine.turns.freeze import choose_masks, freeze
from anymask.dataset.index import RecordIndex
from anymask.model.sam import Sam
from anymask.model.weights import model_hash
from anymask.training.detector_config import DetectorConfig
from tests.data_engine.turns.labelled_world import add_labelled
from tests.data_engine.world import World

CONFIG = EngineConfig(database="d", store="s", project="cups", detector=DetectorConfig(steps=3, held_share=0.4))


@pytest.fixture
def folder(world: World, tmp_path: Path) -> Path:
    for seed in range(8):
        add_labelled(world, seed)
    choices = world.database.read(lambda session: choose_masks(session, world.project.id))
    freeze(world.database, world.blobs, choices, tmp_path / "dataset", held_share=0.01, seed=0)
    return tmp_path


def test_a_detector_is_trained_for_the_model_and_proposes_from_then_on(world: World, model: Sam, folder: Path) -> None:
    made = make_detector(world.database, world.blobs, model, folder, CONFIG, TurnHooks())
    found = world.database.read(lambda session: find_detector(session, model_hash(model)))
    assert found is not None
    assert (found.recall, found.precision, found.confidence) == (made.recall, made.precision, made.confidence)
    assert (folder / "detector" / "detector.json").is_file()
    assert made.pictures + made.held_pictures == len(RecordIndex([folder / "dataset" / "train.tar"]))


def test_told_to_stop_it_goes_on_another_time(world: World, model: Sam, folder: Path) -> None:
    with pytest.raises(StoppedError):
        make_detector(world.database, world.blobs, model, folder, CONFIG, TurnHooks(should_stop=lambda: True))
    assert world.database.read(lambda session: find_detector(session, model_hash(model))) is None
    make_detector(world.database, world.blobs, model, folder, CONFIG, TurnHooks())
