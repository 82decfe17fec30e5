from pathlib import Path

import pytest

from anymask.data_engine import deployment
from anymask.data_engine.model_shelf import ModelShelf
from anymask.errors import EmbeddingMismatchError
from anymask.model.weights import load, model_hash
from tests.cli.small_model import write_small_model
from tests.data_engine.world import World


def test_models_come_from_the_process_or_from_the_store_and_the_last_few_stay(
    world: World, small_model: Path, tmp_path: Path
) -> None:
    own, other = load(small_model), load(write_small_model(tmp_path / "other.safetensors", is_sure=False))
    for model in (own, other):
        (tmp_path / f"decoder-{model_hash(model)}.onnx").write_bytes(b"made before")
    deployment.keep_model(world.database, world.blobs, other, "other", tmp_path, with_weights=True)
    shelf = ModelShelf(world.database, world.blobs, lambda: own, most=1)
    assert shelf.get(model_hash(own)).model is own
    found = shelf.get(model_hash(other))
    assert model_hash(found.model) == model_hash(other)
    assert shelf.get(model_hash(other)) is found
    assert shelf.get(model_hash(own)).model is own
    assert shelf.get(model_hash(other)) is not found


def test_a_model_that_nobody_has_is_named(world: World, small_model: Path) -> None:
    shelf = ModelShelf(world.database, world.blobs, lambda: load(small_model))
    with pytest.raises(EmbeddingMismatchError, match=r"model 000000000000\.\.\. is asked for; .* this process has"):
        shelf.get("0" * 64)
