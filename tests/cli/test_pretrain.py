from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from anymask.cli.main import main
from anymask.model.encoder_weights import load_encoder
from anymask.model.weights import load
from anymask.recipes import PRETRAIN_RECIPES, RECIPES, Recipe, small_vit
from anymask.recipes.small import small_encoder
from anymask.training.mae import MaeConfig, PretrainConfig, Pretrainer
from anymask.training.promptable import Phase, TrainConfig

Pretrain = Any
ENCODER = replace(small_encoder(), dim=32, depth=2, heads=2, global_blocks=(1,), window=2, native_size=64)


def _short() -> PretrainConfig:
    model = MaeConfig(encoder=ENCODER, decoder_dim=16, decoder_depth=1, decoder_heads=2)
    return PretrainConfig(model=model, steps=2, pictures=3, sheet_every=1)


def _short_vit() -> TrainConfig:
    full = small_vit()
    model = replace(full.model, image_encoder=replace(ENCODER, native_size=96), input_size=96)
    return replace(full, model=model, steps=1, pictures=1, phases=(Phase(masks=2, clicks=0),))


@pytest.fixture(autouse=True)
def _short_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRETRAIN_RECIPES, "short", _short)
    monkeypatch.setitem(RECIPES, "short_vit", Recipe(_short_vit, "random"))


@pytest.fixture
def pretrain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Pretrain:
    """Runs `anymask pretrain` beside the folder `data`: (exit code, standard output, standard error)."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "data" / "noise"
    folder.mkdir(parents=True)
    for number in range(4):
        cv2.imwrite(str(folder / f"{number}.jpg"), rng.integers(0, 256, (70, 90, 3), np.uint8))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main(["pretrain", *map(str, arguments)])
        return (code, *capsys.readouterr())

    return run


def test_run_folder_holds_an_encoder_and_what_a_run_is(pretrain: Pretrain, tmp_path: Path) -> None:
    code, out, _ = pretrain("--data", "data", "--recipe", "short", "--seed", 3, "--out", "run", "--tensorboard")
    assert (code, out) == (0, "run: 2 steps -> run/model.safetensors\n")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["seed"], config["steps"], config["model"]["encoder"]["dim"]) == (3, 2, 32)
    asked = json.loads((tmp_path / "run" / "command.json").read_text())
    assert asked == {"recipe": "short", "data": [str(tmp_path / "data")]}
    losses = [json.loads(line)["loss"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert len(losses) == 2
    assert np.isfinite(losses).all()
    assert len(list((tmp_path / "run" / "sheets").iterdir())) == 2
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    assert load_encoder(tmp_path / "run" / "model.safetensors").config == ENCODER


def test_finished_run_is_told_again_and_not_trained_again(pretrain: Pretrain) -> None:
    pretrain("--data", "data", "--recipe", "short", "--out", "run")
    code, out, _ = pretrain("--resume", "run", "--json")
    assert code == 0
    assert json.loads(out) == {
        "run": "run",
        "step": 2,
        "steps": 2,
        "finished": True,
        "weights": "run/model.safetensors",
        "best_score": None,
        "skipped": {"non_finite_steps": 0},
    }


def test_stopped_run_goes_on_to_the_same_bits(
    pretrain: Pretrain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretrain("--data", "data", "--recipe", "short", "--out", "whole")
    taken = Pretrainer._step

    def step_and_terminate(pretrainer: Pretrainer) -> Any:
        if pretrainer.step == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return taken(pretrainer)

    monkeypatch.setattr(Pretrainer, "_step", step_and_terminate)
    code, out, _ = pretrain("--data", "data", "--recipe", "short", "--out", "cut")
    assert code == 128 + signal.SIGTERM
    assert out.endswith("go on with: anymask pretrain --resume cut\n")
    assert pretrain("--resume", "cut")[0] == 0
    whole, cut = (load_encoder(tmp_path / name / "model.safetensors").state for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


@pytest.mark.slow
def test_from_real_pictures_to_a_model_that_learned_from_the_encoder(
    pretrain: Pretrain, tmp_path: Path, data_dir: Path
) -> None:
    shard = data_dir / "train-00.tar"
    assert pretrain("--data", shard, "--recipe", "short", "--out", "mae")[0] == 0
    start = ["--from", "mae/model.safetensors", "--recipe", "short_vit", "--out", "vit"]
    assert main(["train", "--data", str(shard), *start]) == 0
    assert main(["train", "--resume", "vit"]) == 0
    learned, given = load(tmp_path / "vit" / "model.safetensors"), load_encoder(tmp_path / "mae" / "model.safetensors")
    weight = learned.image_encoder.state_dict()["blocks.0.mlp.lin1.weight"]
    # One step of warm-up moves a weight by no more than the first learning rate, so it is still near its start.
    torch.testing.assert_close(weight, given.state["blocks.0.mlp.lin1.weight"], atol=1e-3, rtol=0)


def test_an_encoder_of_another_size_does_not_start_a_model(
    pretrain: Pretrain, capsys: pytest.CaptureFixture[str]
) -> None:
    pretrain("--data", "data", "--recipe", "short", "--out", "mae")
    begin = ["--data", "data", "--from", "mae/model.safetensors", "--out", "vit"]
    assert main(["train", *begin, "--recipe", "small_vit"]) == 3
    assert "2 blocks of 32 channels" in capsys.readouterr().err
    assert main(["train", *begin, "--recipe", "tiny"]) == 2
    assert "choose a recipe whose model has a VitConfig" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        ((), 2, "pre-training needs --data PATH and --out RUN"),
        (("--data", "data"), 2, "pre-training needs --data PATH and --out RUN"),
        (("--data", "absent-*.tar", "--out", "new"), 4, "there is no file or folder absent-*.tar"),
        (("--data", "data", "--out", "new", "--recipe", "tiny"), 2, "unknown recipe 'tiny'; known are mae_small"),
        (("--data", "data", "--out", "new", "--recipe", "short", "--device", "nowhere"), 2, "device 'nowhere'"),
        (("--data", "data", "--out", "new", "--recipe", "short", "--exclude", "noise"), 4, "no training pictures"),
        (("--resume", "absent"), 5, "absent is not a run folder"),
        (("--resume", "absent", "--steps", 4), 2, "--resume goes on with a run as it was begun"),
        (("--resume", "absent", "--exclude", "x"), 2, "--resume goes on with a run as it was begun"),
    ],
)
def test_wrong_request_is_refused_with_what_to_do(
    pretrain: Pretrain, arguments: tuple[object, ...], code: int, reason: str
) -> None:
    refused, out, err = pretrain(*arguments)
    assert (refused, out) == (code, "")
    assert reason in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
