"""What long-running verbs share; tests/cli/test_train.py and test_pretrain.py run the verbs themselves."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from anymask.cli.running import begin_run, find_run, leader_first, move_to, own_device, stop_signals
from anymask.errors import ConfigError, RunError
from anymask.training.group import Group


@dataclass(frozen=True)
class _Config:
    steps: int = 3


@dataclass(frozen=True)
class _Options:
    recipe: str = "one"
    data: tuple[Path, ...] = ()


def test_a_run_that_was_begun_is_found_with_what_was_asked_for(tmp_path: Path) -> None:
    asked = _Options(data=(tmp_path / "a.tar",))
    begin_run(tmp_path / "run", _Config(), asked, verb="work")
    run, config, options = find_run(tmp_path / "run", _Config, _Options, verb="work")
    assert (run.path, config, options) == (tmp_path / "run", _Config(), asked)
    begin_run(tmp_path / "run", _Config(), asked, verb="work")


def test_another_request_for_the_same_folder_is_refused_naming_what_differs(tmp_path: Path) -> None:
    begin_run(tmp_path / "run", _Config(), _Options(), verb="work")
    with pytest.raises(RunError, match=r"another recipe and data; go on with `anymask work --resume .*run`"):
        begin_run(tmp_path / "run", _Config(), _Options("two", (tmp_path,)), verb="work")
    with pytest.raises(RunError, match="another configuration"):
        begin_run(tmp_path / "run", _Config(steps=4), _Options(), verb="work")


def test_a_run_of_another_verb_is_refused(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Other:
        epochs: int = 1

    begin_run(tmp_path / "run", _Config(), _Options(), verb="work")
    with pytest.raises(RunError, match="`anymask play` did not begin"):
        find_run(tmp_path / "run", Other, _Options, verb="play")


def test_a_folder_that_does_not_say_how_it_was_begun_is_refused(tmp_path: Path) -> None:
    begin_run(tmp_path / "run", _Config(), _Options(), verb="work")
    (tmp_path / "run" / "command.json").write_text("{")
    with pytest.raises(RunError, match="does not say what it was begun with"):
        find_run(tmp_path / "run", _Config, _Options, verb="work")


def test_the_leader_waits_after_its_block_and_the_others_before(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(Group, "wait", lambda _: order.append("wait"))
    for group in (Group(0, 2), Group(1, 2)):
        with leader_first(group):
            order.append("block")
    assert order == ["block", "wait", "wait", "block"]


def test_the_first_signal_asks_for_an_end_and_the_second_interrupts() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.signal == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_device_that_is_not_here_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="device 'nowhere' cannot be used here"):
        move_to(torch.nn.Linear(1, 1), "nowhere")


def test_processes_of_torchrun_share_the_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert own_device("cuda") == "cuda:0"
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert own_device("cuda") == "cuda:1"
    assert own_device("cpu") == "cpu"
