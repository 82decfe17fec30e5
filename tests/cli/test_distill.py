from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from anymask.cli.main import main
from anymask.model.sam import Sam
from anymask.model.weights import load, save
from anymask.recipes import DISTILL_RECIPES
from anymask.recipes.distill import distill_tiny
from anymask.training.distill import DistillConfig
from tests.model.test_sam import small_vit
from tests.training.drawn import draw_set
from tests.training.test_distill import SMALL

Distill = Any


def _short() -> DistillConfig:
    return replace(distill_tiny(), encoder=SMALL, steps=2, pictures=2, validate_every=1, sheet_every=1)


@pytest.fixture
def distill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Distill:
    """Runs `anymask distill` beside the folder `data` and the model large.safetensors: (code, output, errors)."""
    monkeypatch.setitem(DISTILL_RECIPES, "short", _short)
    monkeypatch.chdir(tmp_path)
    draw_set(tmp_path / "data" / "discs", 0, 3)
    torch.manual_seed(0)
    save(Sam(small_vit()).eval(), tmp_path / "large.safetensors")

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main(["distill", *map(str, arguments)])
        return (code, *capsys.readouterr())

    return run


def test_a_run_ends_with_a_whole_model_of_the_small_encoder(distill: Distill, tmp_path: Path) -> None:
    code, out, _ = distill(
        "data", "--teacher", "large.safetensors", "--recipe", "short", "--validate", "data", "--seed", 3, "--out", "run"
    )
    assert (code, out) == (0, "run: 2 steps -> run/model.safetensors\n")
    asked = json.loads((tmp_path / "run" / "command.json").read_text())
    assert asked["teacher"] == "large.safetensors"
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert any("val_score" in line for line in lines)
    assert all("cosine" in line for line in lines if "loss" in line)
    small, large = load(tmp_path / "run" / "model.safetensors"), load(tmp_path / "large.safetensors")
    assert small.config.image_encoder == SMALL
    token = "mask_decoder.mask_tokens.weight"
    assert torch.equal(small.state_dict()[token], large.state_dict()[token])


def test_a_finished_run_is_told_again_and_begun_as_it_was(distill: Distill) -> None:
    distill("data", "--teacher", "large.safetensors", "--recipe", "short", "--out", "run")
    code, out, _ = distill("--resume", "run", "--json")
    assert code == 0
    assert json.loads(out)["finished"] is True
    code, _, said = distill("--resume", "run", "--steps", 9)
    assert code > 0
    assert "as it was begun" in said


def test_nothing_to_learn_from_is_an_error_with_advice(distill: Distill) -> None:
    code, _, said = distill("--teacher", "large.safetensors", "--out", "run")
    assert code > 0
    assert "--data PATH" in said
