from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from anymask.cli.main import main
from anymask.cli.options import Dtype
from anymask.cli.train import _Changes
from anymask.model.weights import load
from anymask.recipes import recipe
from anymask.training.promptable import Trainer
from tests.training.drawn import draw_set

Train = Any
HOW_DATA_COMES = ("--weight", "discs_data=2", "--workers", "2")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, small_model: Path) -> Path:
    """A folder with data to train and to validate on, and a run of two steps in `run`."""
    folder = tmp_path_factory.mktemp("place")
    for name, seed in (("data", 0), ("val", 1), ("more", 2)):
        draw_set(folder / name / f"discs_{name}", seed, 4 if name == "data" else 1)
    begin = ["--data", f"{folder}/data", "--from", str(small_model), "--out", f"{folder}/run"]
    more = ["--steps", "2", "--seed", "3", "--validate", f"{folder}/val", "--exclude", "cats", "--tensorboard"]
    assert main(["train", *begin, *more, *HOW_DATA_COMES]) == 0
    return folder


@pytest.fixture
def train(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Train:
    """Runs `anymask train` in the folder `place`: (exit code, standard output, standard error)."""
    monkeypatch.chdir(place)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main(["train", *map(str, arguments)])
        return (code, *capsys.readouterr())

    return run


def test_run_folder_holds_what_a_run_is(place: Path, small_model: Path) -> None:
    run = place / "run"
    config = json.loads((run / "config.json").read_text())
    assert (config["seed"], config["steps"], config["exclude_sets"]) == (3, 2, ["cats"])
    assert config["data"]["weights"] == [{"set_name": "discs_data", "weight": 2.0}]
    assert config["data"]["workers"] == 2
    assert config["model"]["input_size"] == 128
    asked = json.loads((run / "command.json").read_text())
    assert asked == {
        "recipe": "tiny",
        "start": str(small_model),
        "data": [str(place / "data")],
        "validate": [str(place / "val")],
    }
    names = {path.name for path in run.iterdir()}
    assert {"versions.json", "metrics.jsonl", "checkpoints", "sheets", "last.safetensors"} <= names
    assert {"starts.jsonl", "model_card.md", "learning_curves.png"} <= names
    trained, before = load(run / "model.safetensors").state_dict(), load(small_model).state_dict()
    assert any(not torch.equal(trained[name], before[name]) for name in before)


def test_weights_are_those_of_the_best_score(place: Path) -> None:
    assert (place / "run" / "model.safetensors").read_bytes() == (place / "run" / "best.safetensors").read_bytes()
    scores = [json.loads(line) for line in (place / "run" / "metrics.jsonl").read_text().splitlines()]
    (score,) = [line for line in scores if "val_score" in line]
    assert score["val_score"] == pytest.approx((score["val_click"] + score["val_box"]) / 2)


def test_tensorboard_files_are_written_when_asked_for(place: Path) -> None:
    (events,) = (place / "run" / "tensorboard").iterdir()
    assert events.stat().st_size > 100


def test_finished_run_is_told_again_and_not_trained_again(train: Train) -> None:
    code, out, _ = train("--resume", "run", "--json")
    answer = json.loads(out)
    assert code == 0
    assert (answer["step"], answer["steps"], answer["finished"]) == (2, 2, True)
    assert answer["weights"] == "run/model.safetensors"
    assert 0 <= answer["best_score"] <= 1


@pytest.mark.slow
def test_stopped_run_goes_on_to_the_same_bits(
    train: Train, place: Path, small_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = Trainer._step

    def step_and_terminate(trainer: Trainer) -> Any:
        if trainer.step == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return taken(trainer)

    monkeypatch.setattr(Trainer, "_step", step_and_terminate)
    begin = ("--data", "data", "--from", small_model, "--out", "cut", "--steps", 2, "--seed", 3)
    code, out, err = train(*begin, "--exclude", "cats", *HOW_DATA_COMES)
    assert code == 128 + signal.SIGTERM
    assert "stopping after this step" in err
    assert out.startswith("cut: stopped after step 1 of 2")
    assert out.endswith("\ngo on with: anymask train --resume cut\n")
    assert not (place / "cut" / "model.safetensors").exists()
    code, out, _ = train("--resume", "cut")
    assert code == 0
    assert out.startswith("cut: 2 steps")
    resumed, whole = (load(place / name / "last.safetensors").state_dict() for name in ("cut", "run"))
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (("--steps", 9), "another configuration"),
        (("--data", "more"), "begun with another data; go on with `anymask train --resume run`"),
        (("--validate", "more"), "begun with another validate;"),
    ],
)
def test_another_command_for_the_same_folder_is_refused(
    train: Train, small_model: Path, changed: tuple[object, ...], reason: str
) -> None:
    begin = ("--data", "data", "--from", small_model, "--out", "run", "--validate", "val", "--exclude", "cats")
    code, out, err = train(*begin, "--steps", 2, "--seed", 3, *HOW_DATA_COMES, *changed)
    assert (code, out) == (5, "")
    assert reason in err


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        ((), 2, "training needs --data PATH and --out RUN"),
        (("--data", "data"), 2, "training needs --data PATH and --out RUN"),
        (("--data", "absent-*.tar", "--out", "new"), 4, "there is no file or folder absent-*.tar"),
        (("--data", "data", "--out", "new", "--recipe", "huge"), 2, "unknown recipe 'huge'"),
        (("--data", "data", "--out", "new", "--from", "absent.pth"), 3, "absent.pth"),
        (("--data", "data", "--out", "new1", "--from", "random", "--device", "nowhere"), 2, "device 'nowhere'"),
        (("--data", "data", "--out", "new2", "--from", "random", "--exclude", "discs_data"), 4, "no training pictures"),
        (("--data", "data", "--out", "data/discs_data/0.png/run", "--from", "random"), 5, "cannot be made"),
        (
            ("--data", "data", "--out", "new3", "--from", "random", "--weight", "discs"),
            2,
            "--weight is 'discs'",
        ),
        (("--data", "data", "--out", "new4", "--from", "random", "--weight", "a=0"), 2, "'a' must be above 0"),
        (("--data", "data", "--out", "new5", "--from", "random", "--weight", "a=1"), 2, "the data has only discs_data"),
        (("--resume", "run", "--weight", "discs_data=2"), 2, "--resume goes on with a run as it was begun"),
        (("--resume", "absent"), 5, "absent is not a run folder"),
        (("--resume", "run", "--steps", 4), 2, "--resume goes on with a run as it was begun"),
        (("--resume", "run", "--data", "data"), 2, "--resume goes on with a run as it was begun"),
    ],
)
def test_wrong_request_is_refused_with_what_to_do(
    train: Train, arguments: tuple[object, ...], code: int, reason: str
) -> None:
    refused, out, err = train(*arguments)
    assert (refused, out) == (code, "")
    assert reason in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_a_folder_of_pictures_is_trained_on_without_a_set_folder_by_a_fine_tuning_recipe(
    train: Train, place: Path
) -> None:
    code, out, _ = train(
        "data/discs_data",
        "--recipe",
        "finetune_decoder",
        "--from",
        "run/model.safetensors",
        "--steps",
        2,
        "--out",
        "tuned",
    )
    assert code == 0, out
    config = json.loads((place / "tuned" / "config.json").read_text())
    assert (config["learn"], config["model"]["input_size"]) == ("decoder", 128)
    assert list((place / "tuned" / "embeddings").iterdir())
    before, after = (load(place / name / "model.safetensors").state_dict() for name in ("run", "tuned"))
    assert {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])} == {
        "mask_decoder",
        "prompt_encoder",
    }


def test_a_run_goes_on_from_weights_alone_at_a_step(train: Train, place: Path) -> None:
    code, _, _ = train(
        "--data", "data", "--from", "run/model.safetensors", "--steps", 5, "--step", 3, "--seed", 3, "--out", "late"
    )
    assert code == 0
    steps = [json.loads(line)["step"] for line in (place / "late" / "metrics.jsonl").read_text().splitlines()]
    assert steps == [4, 5]
    code, _, said = train("--data", "data", "--from", "tiny", "--steps", 5, "--step", 5, "--out", "never")
    assert code > 0
    assert "first_step" in said


def test_arithmetic_and_compilation_are_written_down_for_those_who_go_on() -> None:
    config = _Changes(precision=Dtype.BFLOAT16, compiled=True).apply(recipe("tiny"))
    assert (config.precision, config.compile) == ("bfloat16", True)
    same = _Changes().apply(recipe("vit_b"))
    assert (same.precision, same.compile) == ("bfloat16", False)
    assert _Changes(precision=Dtype.FLOAT32).apply(recipe("vit_b")).precision == "float32"


def test_half_precision_that_cannot_hold_gradients_is_refused(train: Train) -> None:
    code, _, error = train("data", "--out", "half", "--precision", "float16")
    assert code != 0
    assert "float32 or bfloat16" in error
