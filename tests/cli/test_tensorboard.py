"""TensorBoard files: every step once, also after a kill, and the contact sheets as pictures."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anymask.cli.tensorboard import opened_log
from anymask.errors import MissingDependencyError
from anymask.runs import RunFolder


@dataclass(frozen=True)
class _Config:
    steps: int = 9


def _run(path: Path) -> RunFolder:
    return RunFolder.create(path, _Config())


def _draw(run: RunFolder, step: int, level: int) -> None:
    path = run.path / "sheets" / f"step_{step:06d}.jpg"
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.full((8, 12, 3), level, np.uint8)).save(path)


def _read(run: RunFolder) -> Any:
    """What TensorBoard itself shows of the folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(run.path / "tensorboard"))
        events.Reload()
    return events


def _steps(run: RunFolder) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in _read(run).Scalars("loss")]


def test_steps_that_a_killed_run_takes_again_are_shown_once_and_as_they_are_now(tmp_path: Path) -> None:
    run = _run(tmp_path / "run")
    with opened_log(run, 0, wanted=True) as log:
        assert log is not None
        for step in (1, 2, 3, 4):
            log.log(step, {"loss": 1.0})
    with opened_log(run, 2, wanted=True) as log:
        assert log is not None
        for step in (3, 4, 5):
            log.log(step, {"loss": 2.0})
    assert _steps(run) == [(1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0), (5, 2.0)]


def test_every_contact_sheet_is_added_once_at_its_step(tmp_path: Path) -> None:
    run = _run(tmp_path / "run")
    with opened_log(run, 0, wanted=True) as log:
        assert log is not None
        for step in (1, 2, 3):
            log.log(step, {"loss": 1.0})
            if step > 1:
                _draw(run, step, 100 * step - 100)  # as training does, after the step's values
                log.log(step, {"val_score": 0.5})
    images = _read(run).Images("contact sheet")
    assert [(image.step, image.width, image.height) for image in images] == [(2, 12, 8), (3, 12, 8)]


def test_a_run_that_goes_on_does_not_add_the_sheet_of_before_again(tmp_path: Path) -> None:
    run = _run(tmp_path / "run")
    _draw(run, 2, 100)
    with opened_log(run, 2, wanted=True) as log:
        assert log is not None
        log.log(3, {"loss": 1.0})
    assert _read(run).Tags()["images"] == []


def test_nothing_is_written_when_it_is_not_wanted(tmp_path: Path) -> None:
    run = _run(tmp_path / "run")
    with opened_log(run, 0, wanted=False) as log:
        assert log is None
    assert not (run.path / "tensorboard").exists()


def test_without_the_package_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with (
        pytest.raises(MissingDependencyError, match=r"pip install 'anymask\[train\]'"),
        opened_log(_run(tmp_path / "run"), 0, wanted=True),
    ):
        pass
