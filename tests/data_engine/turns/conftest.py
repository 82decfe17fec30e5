"""The database, store and project of `tests/data_engine`, on SQLite alone: what is tested here asks nothing special."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from anymask.data_engine.store import Database
from anymask.model.sam import Sam
from anymask.model.weights import load
from tests.data_engine.world import Clock


@pytest.fixture
def database(migrated_sqlite: Path, tmp_path: Path, clock: Clock) -> Iterator[Database]:
    shutil.copy(migrated_sqlite, tmp_path / "test.db")
    opened = Database(f"sqlite:///{tmp_path / 'test.db'}", clock=clock)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def model(small_model: Path) -> Sam:
    return load(small_model)
