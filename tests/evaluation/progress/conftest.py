"""Two finished runs that differ in their seed, made once for the folder's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluation.progress.short_runs import train_short_run
from tests.training.drawn import draw_set


@pytest.fixture(scope="session")
def short_runs(tmp_path_factory: pytest.TempPathFactory, small_model: Path) -> list[Path]:
    """A run of seed 3 with validation, and one of seed 4 without; both trained on four pictures of `ccp` and `mine`."""
    place = tmp_path_factory.mktemp("progress")
    draw_set(place / "data" / "ccp", 0, 3)
    draw_set(place / "data" / "mine", 1, 1)
    draw_set(place / "val" / "discs", 2, 2)
    validated = train_short_run(place / "first", place / "data", small_model, "--seed", 3, "--validate", place / "val")
    return [validated, train_short_run(place / "second", place / "data", small_model, "--seed", 4)]
