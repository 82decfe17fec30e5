"""The application in this process, as browsers see it: people with cookies and CSRF tokens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from anymask.data_engine.blobs import Blobs
from anymask.data_engine.deployment import deploy
from anymask.data_engine.model_shelf import ModelShelf
from anymask.data_engine.saving import Saver
from anymask.data_engine.store import Database
from anymask.model.sam import Sam
from anymask.model.weights import load, model_hash
from anymask.server.app import create_app
from anymask.server.config import ServerConfig
from anymask.server.deps import Services
from anymask.server.embeddings import ServerDecoder
from anymask.server.models import ServedModels
from tests.server.browser import Site


@pytest.fixture(scope="session")
def model(small_model: Path) -> Sam:
    return load(small_model)


@pytest.fixture
def site(migrated_url: str, tmp_path: Path, model: Sam) -> Iterator[Site]:
    """A team's server with an admin, a reviewer, two annotators and an outsider."""
    database, blobs = Database(migrated_url), Blobs(str(tmp_path / "store"))
    # The decoder counts as written before: writing it takes half a minute, and test_deployment.py does it.
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / f"decoder-{model_hash(model)}.onnx").write_bytes(b"the decoder")
    config = ServerConfig(
        mode="team",
        secret="s" * 40,
        static=None,
        import_roots=(tmp_path / "import",),
        max_upload_bytes=300_000,
        max_json_bytes=200_000,
    )
    deploy(database, blobs, model, "small", cache)
    services = Services(
        config=config,
        database=database,
        blobs=blobs,
        models=ServedModels(database, blobs),
        decoder=ServerDecoder(ModelShelf(database, blobs, lambda: model), blobs),
        saver=Saver(database),
    )
    made = Site(create_app(services), services, model)
    yield made
    made.close()
    services.saver.close()
    database.close()
