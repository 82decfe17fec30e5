"""Fixtures of the model's tests."""

from __future__ import annotations

import pytest
import torch

from anymask.model.sam import Sam, tiny_config
from tests.model.small_models import small_vit_config


@pytest.fixture(scope="module")
def model() -> Sam:
    """A tiny model with seeded random weights, none of them zero."""
    torch.manual_seed(0)
    return Sam(tiny_config(dim=32, input_size=128)).eval()


@pytest.fixture(scope="module")
def vit() -> Sam:
    """A ViT of the released form, small enough to write many times."""
    torch.manual_seed(1)
    return Sam(small_vit_config()).eval()
