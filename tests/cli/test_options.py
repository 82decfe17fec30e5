from __future__ import annotations

from pathlib import Path

import pytest
import torch

from anymask.cli.options import Dtype, load_model
from anymask.errors import ConfigError, WeightsError


@pytest.mark.parametrize("dtype", Dtype)
def test_model_comes_in_the_arithmetic_asked_for(small_model: Path, dtype: Dtype) -> None:
    model = load_model(str(small_model), "cpu", dtype)
    assert model.dtype == getattr(torch, dtype.value)
    assert not model.training


def test_device_that_is_not_there_is_a_sentence_and_never_another_device(small_model: Path) -> None:
    with pytest.raises(ConfigError, match="device 'nowhere' cannot be used"):
        load_model(str(small_model), "nowhere")


def test_model_that_is_not_there_is_named() -> None:
    with pytest.raises(WeightsError, match=r"absent\.pth"):
        load_model("absent.pth", "cpu")
