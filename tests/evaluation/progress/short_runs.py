"""Run folders made by real training of a small model for a few steps."""

from __future__ import annotations

from pathlib import Path

from anymask.cli.main import main


def train_short_run(out: Path, data: Path, model: Path, *more: object) -> Path:
    """A finished run of two steps in `out`."""
    arguments = ["--data", data, "--from", model, "--out", out, "--steps", 2, *more]
    assert main(["train", *map(str, arguments)]) == 0
    return out
