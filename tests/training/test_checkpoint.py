"""Checkpoints: whole or absent, newest readable first, nothing executed."""

import pickle
from pathlib import Path

import pytest
import torch

from anymask.errors import RunError
from anymask.training.checkpoint import KEEP, Checkpoint, load_latest, save


def checkpoint(step: int) -> Checkpoint:
    return Checkpoint(step, {"w": torch.full((3,), float(step))}, {"state": {}}, {}, 0.5, {"non_finite_steps": step})


def test_the_newest_is_loaded_and_older_ones_are_removed(tmp_path: Path) -> None:
    for step in range(1, 6):
        save(tmp_path, checkpoint(step))
    assert len(list(tmp_path.glob("step_*.pt"))) == KEEP
    loaded = load_latest(tmp_path)
    assert loaded is not None
    assert (loaded.step, loaded.best, loaded.skipped) == (5, 0.5, {"non_finite_steps": 5})
    assert torch.equal(loaded.model["w"], torch.full((3,), 5.0))


def test_a_damaged_newest_gives_the_one_before(tmp_path: Path) -> None:
    save(tmp_path, checkpoint(1))
    newest = save(tmp_path, checkpoint(2))
    newest.write_bytes(newest.read_bytes()[:100])
    loaded = load_latest(tmp_path)
    assert loaded is not None
    assert loaded.step == 1


def test_only_damaged_ones_are_an_error_that_names_them(tmp_path: Path) -> None:
    save(tmp_path, checkpoint(1)).write_bytes(b"")
    with pytest.raises(RunError, match="step_00000001"):
        load_latest(tmp_path)


def test_none_is_none(tmp_path: Path) -> None:
    assert load_latest(tmp_path / "nowhere") is None


class Malicious:
    """What an attacker pickles: a call that leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, (f"open({str(self.mark)!r}, 'w').close()",)


def test_a_malicious_pickle_is_refused_and_never_executed(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    (tmp_path / "step_00000009.pt").write_bytes(pickle.dumps(Malicious(mark), protocol=2))
    with pytest.raises(RunError, match="step_00000009"):
        load_latest(tmp_path)
    assert not mark.exists()


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, checkpoint(1))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        save(tmp_path, checkpoint(2))
    monkeypatch.undo()
    loaded = load_latest(tmp_path)
    assert loaded is not None
    assert loaded.step == 1
    assert not list(tmp_path.glob(".*tmp"))
