from __future__ import annotations

from pathlib import Path

import pytest
import torch

from anymask.cli.options import Dtype, expand_paths, load_model
from anymask.errors import ConfigError, DatasetError, WeightsError


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


def test_patterns_are_expanded_in_order_of_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b.tar", "a.tar", "c.txt", "[x].tar"):
        (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path)
    assert [path.name for path in expand_paths(["c.txt", "*.tar"])] == ["c.txt", "[x].tar", "a.tar", "b.tar"]
    assert expand_paths(["[x].tar"]) == [tmp_path / "[x].tar"]
    with pytest.raises(DatasetError, match=r"no file or folder d\*\.tar"):
        expand_paths(["a.tar", "d*.tar"])
