"""Fixtures every test file may use, and the two reasons for which a test may skip itself: no GPU, no real pictures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import settings
from PIL import Image

from anymask.data_engine.migrations.upgrading import upgrade
from anymask.data_engine.store import Database
from anymask.model.weights import load, model_hash
from anymask.predict.export import ExportConfig, export_onnx
from tests.cli.small_model import write_small_model
from tests.services.postgres import Postgres

_ROOT = Path(__file__).parents[1]
_DEFAULT_DATA = _ROOT.parent / "shared" / "data"


# A property must hold, however slow the machine is today: no time limit for one example.
settings.register_profile("anymask", deadline=None)
settings.load_profile("anymask")


def pytest_configure() -> None:
    # Several test processes share the cores: more threads than cores makes OpenMP collapse (10x and worse).
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return _ROOT


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real tar shards: ANYMASK_TEST_DATA, or ../shared/data beside the checkout. CI must have it."""
    folder = Path(os.environ.get("ANYMASK_TEST_DATA", _DEFAULT_DATA))
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"CI has no real shards at {folder}; set ANYMASK_TEST_DATA")
        pytest.skip(f"no real shards at {folder}; set ANYMASK_TEST_DATA to run this test")
    return folder


@pytest.fixture(scope="session")
def photo_path() -> Path:
    """A real photograph, 400 x 600: a coffee cup on a saucer with a spoon (CC0, see NOTICE)."""
    return _ROOT / "demo" / "coffee.jpg"


@pytest.fixture(scope="session")
def photo(photo_path: Path) -> npt.NDArray[np.uint8]:
    """The same photograph, (400, 600, 3) uint8 RGB."""
    return np.asarray(Image.open(photo_path).convert("RGB"))


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small model that answers every prompt with stable masks it believes in."""
    return write_small_model(tmp_path_factory.mktemp("model") / "small.safetensors")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for tests of logic: it does not wait for the disk."""
    server = Postgres()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database: every test that takes it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.url(server.make_database())


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "migrated.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres: Postgres) -> str:
    """The name of a migrated PostgreSQL database, to be copied."""
    name = postgres.make_database()
    _migrate(postgres.url(name))
    return name


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a migrated database of the test's own; on both kinds, as `database_url`."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "test.db")
        return f"sqlite:///{tmp_path / 'test.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.url(server.make_database(request.getfixturevalue("migrated_postgres")))


def _migrate(url: str) -> None:
    database = Database(url)
    upgrade(database)
    database.close()


@pytest.fixture(scope="session")
def small_decoder(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder (ANYMASK_CACHE) with the small model's decoder for browsers, which takes long to write."""
    cache = tmp_path_factory.mktemp("cache")
    model = load(small_model)
    (cache / "decoders").mkdir()
    path = cache / "decoders" / f"decoder-{model_hash(model)}.onnx"
    export_onnx(model, path, ExportConfig(part="browser"))
    return cache
