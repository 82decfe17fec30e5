import shutil
from pathlib import Path

import onnxruntime
import pytest

from anymask.data_engine.blobs import Blobs
from anymask.data_engine.deployment import deploy
from anymask.data_engine.store import Database
from anymask.model.weights import load, model_hash
from tests.data_engine.world import World


def test_a_decoder_that_this_machine_has_is_taken_and_missing_embeddings_are_asked_for(
    world: World, small_model: Path, tmp_path: Path
) -> None:
    model = load(small_model)
    sha256 = model_hash(model)
    (tmp_path / f"decoder-{sha256}.onnx").write_bytes(b"made before")
    world.add_pictures(2)
    deployed = deploy(world.database, world.blobs, model, "small", tmp_path)
    assert (deployed.sha256, deployed.name, deployed.decoder_bytes) == (sha256, "small", 11)
    assert world.blobs.read(deployed.decoder_key) == b"made before"
    assert deployed.facts["input_size"] == model.input_size
    assert [each["tensor"] for each in deployed.facts["maps"]] == ["main", "finer.0", "finer.1"]
    (tmp_path / f"decoder-{sha256}.onnx").unlink()
    assert deploy(world.database, world.blobs, model, "small", tmp_path) == deployed


@pytest.mark.slow
def test_the_decoder_that_is_written_runs_with_the_inputs_that_are_named(
    blobs: Blobs, small_model: Path, small_decoder: Path, migrated_sqlite: Path, tmp_path: Path
) -> None:
    shutil.copy(migrated_sqlite, tmp_path / "test.db")
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    deployed = deploy(database, blobs, load(small_model), "small", small_decoder / "decoders")
    session = onnxruntime.InferenceSession(blobs.read(deployed.decoder_key))
    shapes = {each.name: each.shape for each in session.get_inputs()}
    for each in deployed.facts["maps"]:
        assert shapes[each["input"]] == each["shape"]
    database.close()
