"""Fixtures every test file may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real tar shards: ANYMASK_TEST_DATA, or ../shared/data beside the checkout."""
    folder = Path(os.environ.get("ANYMASK_TEST_DATA", _DEFAULT_DATA))
    if not folder.is_dir():
        pytest.skip(f"no real shards at {folder}; set ANYMASK_TEST_DATA to run this test")
    return folder
