"""Columns of an evaluation from the command line's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from anymask.cli.evaluate.columns import column_name, make_columns
from anymask.cli.options import Dtype
from anymask.errors import ConfigError


def test_models_come_first_in_their_order_then_the_baselines(small_model: Path) -> None:
    columns = make_columns([str(small_model), "tiny"], "felzenszwalb, grabcut", "cpu", Dtype.FLOAT32)
    assert [column.name for column in columns] == ["small", "tiny", "felzenszwalb", "grabcut"]


def test_no_baseline_may_be_asked_for(small_model: Path) -> None:
    assert [column.name for column in make_columns([str(small_model)], "none", "cpu", Dtype.FLOAT32)] == ["small"]


def test_a_wrong_baseline_is_told_before_a_model_is_loaded() -> None:
    with pytest.raises(ConfigError, match="watershed"):
        make_columns(["nowhere/model.pth"], "watershed", "cpu", Dtype.FLOAT32)


def test_a_file_without_folder_is_named_by_its_stem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.safetensors").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert column_name("mine.safetensors") == "mine"
    assert column_name("vit_b") == "vit_b"
