"""The public package and ours side by side, with the same small model in both."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

import anymask.compat
from anymask.compat.modeling import Sam
from tests.paired_models import ours_with_weights_of, small_public_model
from tests.public_sam import import_public_sam


@dataclass(frozen=True)
class Pair:
    """Both packages and both models."""

    public: ModuleType
    public_model: Any
    ours: ModuleType
    our_model: Sam


@pytest.fixture(scope="session")
def pair() -> Pair:
    public_model = small_public_model(seed=1)
    return Pair(import_public_sam(), public_model, anymask.compat, Sam.adopt(ours_with_weights_of(public_model)))


@pytest.fixture(scope="session")
def scene(photo: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(150, 230, 3): the photograph made small."""
    return cv2.resize(photo, (230, 150), interpolation=cv2.INTER_AREA)


def assert_alike(ours: Any, theirs: Any) -> None:
    """Same structure, types and keys; numbers within 1e-4, masks equal but for a pixel in ten thousand."""
    if isinstance(ours, int) and isinstance(theirs, float):
        ours = float(ours)  # the public boxes are floats when any batch of any crop found nothing
    assert type(ours) is type(theirs), (type(ours), type(theirs))
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for key in theirs:
            assert_alike(ours[key], theirs[key])
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_alike(one, other)
    elif hasattr(theirs, "dtype"):
        assert ours.dtype == theirs.dtype
        assert tuple(ours.shape) == tuple(theirs.shape)
        a, b = np.asarray(ours), np.asarray(theirs)
        if a.dtype == bool:
            assert (a != b).mean() <= 1e-4
        else:
            assert np.abs(a - b).max(initial=0) < 1e-4
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, abs=1e-4)
    else:
        assert ours == theirs
