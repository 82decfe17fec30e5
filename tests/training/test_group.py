"""Several processes on one run see, draw and learn what one does."""

import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from anymask.model.weights import load
from anymask.runs import RunFolder
from anymask.training.batches import Batches, DataConfig
from anymask.training.group import Group, joined_group
from soak import sizes, training_faults
from tests.services.processes import environment
from tests.training.drawn import drawn_record

TRAINED = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from anymask.runs import RunFolder
from anymask.training.group import joined_group
from anymask.training.loop import Hooks
from anymask.training.promptable import Trainer
from tests.training.drawn import drawn_record, small_run
config = small_run(steps=6, pictures=3, sheet_every=3)
stop = int(sys.argv[2])
with joined_group() as group:
    if group.leads:
        RunFolder.create(Path(sys.argv[1]), config)
    group.wait()
    records = [drawn_record(str(i), i) for i in range(7)]
    trainer = Trainer(config, records, RunFolder(Path(sys.argv[1])), group=group)
    # Only one of the processes is told to stop; the others stop with it.
    trainer.train(Hooks(should_stop=lambda: trainer.step >= stop and group.rank == group.size - 1))
    print("stopped at", trainer.step)
"""


def start(path: Path, size: int, stop: int) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    ends = []
    for rank in range(size):
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": str(rank), "WORLD_SIZE": str(size)}
        started = environment(TORCHELASTIC_RUN_ID="test", **place)
        command = [sys.executable, "-c", TRAINED, str(path), str(stop)]
        ends.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=started))
    for process in ends:
        out, _ = process.communicate(timeout=180)
        assert process.returncode == 0
        assert out.split()[-1] == str(min(stop, 6))


def test_shares_are_the_whole_batch_once() -> None:
    records = [drawn_record(str(i), i) for i in range(7)]
    whole = Batches(records, DataConfig(), pictures=5, seed=1).make(2, 64, 3)
    shares = [
        Batches(records, DataConfig(), pictures=5, seed=1, group=Group(rank, 2)).make(2, 64, 3) for rank in (0, 1)
    ]
    found = {place: sample for share in shares for place, sample in zip(share.places, share.samples, strict=True)}
    assert sorted(found) == list(whole.places)
    for place, sample in zip(whole.places, whole.samples, strict=True):
        assert np.array_equal(found[place].pixels, sample.pixels)
        assert np.array_equal(found[place].masks, sample.masks)


def test_a_process_without_others_is_a_group_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    with joined_group() as group:
        group.wait()
        assert (group.rank, group.size, group.leads) == (0, 1, True)
        assert group.gather("x") == ["x"]
        assert group.any(True)
        assert not group.any(False)
        assert list(group.share(3)) == [0, 1, 2]


@pytest.mark.slow
def test_two_processes_learn_what_one_does_and_a_run_goes_on_with_another_number(tmp_path: Path) -> None:
    start(tmp_path / "one", 1, 6)
    start(tmp_path / "two", 2, 6)
    start(tmp_path / "changed", 2, 3)
    start(tmp_path / "changed", 1, 6)
    metrics = [list(RunFolder(tmp_path / name).metrics()) for name in ("one", "two", "changed")]
    assert [line["step"] for line in metrics[2]] == [1, 2, 3, 4, 5, 6]
    for other in metrics[1:]:
        for a, b in zip(metrics[0], other, strict=True):
            assert a["masks"] == b["masks"]
            assert a["loss"] == pytest.approx(b["loss"], rel=1e-3)
    weights = [load(tmp_path / name / "last.safetensors").state_dict() for name in ("one", "two", "changed")]
    for other in weights[1:]:
        assert max(float((weights[0][name] - other[name]).abs().max()) for name in other) < 1e-4
    assert (tmp_path / "two" / "sheets" / "step_000003.jpg").is_file()


@pytest.mark.slow
def test_torchrun_killed_and_stopped_and_resumed_with_another_number_ends_as_undisturbed() -> None:
    assert training_faults.kills(*sizes.TRAINING_KILLS_CI)
