"""A migrated database on both kinds, a clock that tests move, and a project with people and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from anymask.data_engine.blobs import Blobs
from anymask.data_engine.store import Database
from tests.data_engine.world import Clock, World
from tests.server.conftest import model, site

__all__ = ["model", "site"]
"""Of a server in this process, for what speaks to one over HTTP."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(migrated_url: str, clock: Clock) -> Iterator[Database]:
    opened = Database(migrated_url, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(str(tmp_path / "store"))


@pytest.fixture
def world(database: Database, blobs: Blobs, clock: Clock) -> World:
    return World(database, blobs, clock)
