"""Fixtures every test file may use, and the two reasons for which a test may skip itself: no GPU, no real pictures."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import settings
from PIL import Image

from tests.cli.small_model import write_small_model

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
