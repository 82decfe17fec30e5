"""Checkpoints that always load: written whole or not at all, read without unsafe unpickling."""

from __future__ import annotations

import io
import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anymask.errors import RunError
from anymask.runs import write_atomically

_NAME = re.compile(r"step_(\d+)\.pt")
KEEP = 2
"""Checkpoints kept in a run: the newest, and the one before in case the disk damages it."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """All that a run needs to go on; randomness is a function of seed and step, so none is stored."""

    step: int
    """Steps taken."""
    model: dict[str, Tensor]
    optimizer: dict[str, Any]
    average: dict[str, Tensor]
    """Moving average of the weights; empty without one."""
    best: float
    """Best validation score so far, -1 before the first."""
    skipped: dict[str, int]
    """Counts of what was left out so far (non-finite steps, pictures without a mask)."""


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write `step_N.pt` atomically and remove all but the newest two.

    Raises: OSError (disk full, read-only); what was there before stays whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    torch.save({name: getattr(checkpoint, name) for name in Checkpoint.__dataclass_fields__}, buffer)
    path = folder / f"step_{checkpoint.step:08d}.pt"
    write_atomically(path, buffer.getvalue())
    for old in _newest_first(folder)[KEEP:]:
        old.unlink()
    return path


def load_latest(folder: Path) -> Checkpoint | None:
    """The newest checkpoint that reads whole, or None when there is none at all.

    Raises: RunError when files are there and none of them can be read.
    """
    paths = _newest_first(folder)
    problems = []
    for path in paths:
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            return Checkpoint(**content)
        except (OSError, RuntimeError, EOFError, TypeError, KeyError, pickle.UnpicklingError) as error:
            problems.append(f"{path.name}: {error}")
    if problems:
        raise RunError(f"no checkpoint of {folder} can be read ({'; '.join(problems)}); start a new run")
    return None


def _newest_first(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("step_*.pt") if _NAME.fullmatch(path.name)] if folder.is_dir() else []
    return sorted(found, reverse=True)
