"""Fixtures of the integration tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.small_model import write_small_model


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small model that answers every prompt with stable masks it believes in."""
    return write_small_model(tmp_path_factory.mktemp("model") / "small.safetensors")
