"""The model card says what the run's folder says, and no more."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from anymask.cli.main import main
from anymask.dataset.licences import KNOWN_LICENCES, SetLicence
from anymask.errors import RunError
from anymask.evaluation.progress.card import command_of, write_card
from anymask.evaluation.progress.history import read_history
from anymask.model.weights import load
from anymask.runs import RunFolder

MINE = SetLicence(licence="CC0", research_only=False)


def _card(run: Path, licences: dict[str, SetLicence] = KNOWN_LICENCES) -> str:
    return write_card(RunFolder(run), licences, {"non_finite_steps": 0}).read_text()


def test_training_leaves_a_card_with_model_data_time_machine_and_scores(short_runs: list[Path]) -> None:
    run = short_runs[0]
    card = (run / "model_card.md").read_text()
    count = sum(parameter.numel() for parameter in load(run / "model.safetensors").parameters())
    assert card.startswith("# Model card: first\n")
    assert f"input 128 x 128; a two-way decoder of 2 blocks and 32 channels. {count:,} parameters." in card
    assert "| ccp | 3 | Apache-2.0 |" in card
    assert "| mine | 1 | not stated: state it yourself |" in card
    assert "2 steps of 4 (8 pictures drawn, with repeats)" in card
    assert "1 process of" in card
    assert "| score | 0." in card
    assert "discs: 2 pictures" in card
    assert (run / "learning_curves.png").read_bytes().startswith(b"\x89PNG")
    assert "](learning_curves.png)" in card
    assert "| torch |" in card


def test_the_verdict_follows_from_the_licences(short_runs: list[Path]) -> None:
    run = short_runs[1]
    assert "**Treat the weights as for research only** until" in _card(run)
    assert "The terms of the sets allow any use" in _card(run, KNOWN_LICENCES | {"mine": MINE})
    bound = SetLicence(licence="ask | <first>", research_only=True)
    card = _card(run, KNOWN_LICENCES | {"mine": bound})
    assert "**The weights are for research only**, because of the terms of mine." in card
    assert r"| mine | 1 | ask \| &lt;first> |" in card


def test_a_card_without_validation_says_that_nothing_was_measured(short_runs: list[Path]) -> None:
    card = _card(short_runs[1])
    assert "None: the run validated on nothing" in card
    assert "was not measured" in card


def test_the_command_of_the_card_begins_the_same_run(
    short_runs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    command = command_of(read_history(RunFolder(short_runs[0])))
    assert command is not None
    assert f"--out {short_runs[0]}" in command
    assert main(command.split()[1:]) == 0  # the same folder takes the same command only
    assert "2 steps" in capsys.readouterr().out


def test_a_run_of_several_processes_is_begun_by_torchrun(short_runs: list[Path], tmp_path: Path) -> None:
    run = RunFolder(Path(shutil.copytree(short_runs[1], tmp_path / "run")))
    (run.path / "starts.jsonl").write_text('{"step": 0, "processes": 2}\n')
    assert str(command_of(read_history(run))).startswith("torchrun --standalone --nproc-per-node 2 -m anymask train ")


def test_a_run_of_before_starts_were_recorded_has_a_card_that_says_what_is_unknown(
    tmp_path: Path, repository: Path
) -> None:
    old = Path(shutil.copytree(repository / "docs" / "runs" / "tiny", tmp_path / "tiny"))
    card = _card(old)
    assert "does not say which sets it was trained on" in card
    assert "On which machine is not recorded." in card
    assert "```\nnot recorded\n```" in card
    assert "99,960 simulated prompt sessions. 81 min of steps" in card
    assert "`model.safetensors`: not there yet" in card


def test_an_unfinished_run_is_said_to_be_so(short_runs: list[Path], tmp_path: Path) -> None:
    run = Path(shutil.copytree(short_runs[1], tmp_path / "run"))
    RunFolder(run).forget_after(1)
    assert "**Not finished: step 1 of 2.**" in _card(run)


def test_a_model_of_another_version_is_not_guessed_at(short_runs: list[Path], tmp_path: Path) -> None:
    run = Path(shutil.copytree(short_runs[1], tmp_path / "run"))
    config = json.loads((run / "config.json").read_text())
    config["model"]["wings"] = 2
    (run / "config.json").write_text(json.dumps(config))
    assert "Of a configuration that this version does not know" in _card(run)


def test_without_matplotlib_the_card_says_how_to_have_the_picture(
    short_runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(short_runs[1], tmp_path / "run", ignore=shutil.ignore_patterns("*.png")))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "pip install 'anymask[eval]'" in _card(run)
    assert not (run / "learning_curves.png").exists()


def test_scores_of_another_folder_are_refused(short_runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(RunError, match="anymask evaluate points"):
        write_card(RunFolder(short_runs[0]), KNOWN_LICENCES, None, [tmp_path])
