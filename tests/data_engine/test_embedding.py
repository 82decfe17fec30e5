import gzip
from pathlib import Path

import pytest
import torch

from anymask.data_engine import pictures
from anymask.data_engine.embedding import Embedder
from anymask.data_engine.jobs import HeldJob, take_job
from anymask.data_engine.model_shelf import ModelShelf
from anymask.errors import EmbeddingMismatchError
from anymask.model.weights import load
from anymask.predict.embeddings import load_embedding
from anymask.predict.predictor import Predictor
from tests.data_engine.world import World, draw_picture


@pytest.fixture(scope="module")
def predictor(small_model: Path) -> Predictor:
    return Predictor(load(small_model))


def ask(world: World, predictor: Predictor) -> HeldJob:
    kept = pictures.keep_picture(world.blobs, draw_picture())
    sha256 = predictor.model_sha256()
    world.database.write(lambda s: pictures.add_picture(s, world.project.id, "a.png", kept, world.clock(), sha256))
    held = world.database.write(lambda session: take_job(session, ["embed"], world.clock()))
    assert held is not None
    return held


def shelf_of(world: World, predictor: Predictor) -> ModelShelf:
    return ModelShelf(world.database, world.blobs, lambda: predictor.model)


def test_a_picture_is_embedded_with_both_hashes_in_half_precision(
    world: World, predictor: Predictor, tmp_path: Path
) -> None:
    held = ask(world, predictor)
    Embedder(world.database, world.blobs, shelf_of(world, predictor))(held)
    sha256 = held.payload["image_sha256"]
    key = world.database.read(lambda s: pictures.find_embedding(s, sha256, predictor.model_sha256()))
    assert key is not None
    path = tmp_path / "stored"
    path.write_bytes(gzip.decompress(world.blobs.read(key)))
    stored = load_embedding(path)
    assert (stored.image_sha256, stored.model_sha256) == (sha256, predictor.model_sha256())
    fresh = predictor.embed(draw_picture())
    maps = zip(
        (stored.embedding.main, *stored.embedding.finer), (fresh.embedding.main, *fresh.embedding.finer), strict=True
    )
    for half, full in maps:
        assert half.dtype == torch.float16
        torch.testing.assert_close(half.float(), full, rtol=2e-3, atol=1e-3)


def test_a_job_for_another_model_or_picture_is_refused(world: World, predictor: Predictor) -> None:
    held = ask(world, predictor)
    embed = Embedder(world.database, world.blobs, shelf_of(world, predictor))
    for change in ({"model_sha256": "0" * 64}, {"image_sha256": "0" * 64}):
        other = HeldJob(held.id, held.kind, held.token, 1, held.project_id, held.payload | change)
        with pytest.raises(EmbeddingMismatchError):
            embed(other)
