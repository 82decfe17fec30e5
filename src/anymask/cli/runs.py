"""`anymask runs`: what the run folders hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from anymask.cli import console
from anymask.cli.options import JSON
from anymask.errors import RunError
from anymask.runs import RunFolder


def runs(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FOLDER]...", help="Run folders, or folders of them.", show_default="runs"),
    ] = None,
    json: JSON = False,
) -> None:
    """Show training runs: how far they are, and how good.

    A run folder is what `anymask train --out` made. It holds `config.json` (the whole configuration), `versions.json`,
    `metrics.jsonl` (a line a step), `sheets/` (pictures to look at), `checkpoints/`, and the weights.

    **Examples**

    ```
    anymask runs
    anymask runs runs/tiny
    anymask runs runs/tiny --json
    ```
    """
    rows = [describe(run) for run in find_runs(folders or [Path("runs")])]
    if json:
        console.say_json({"runs": rows})
        return
    for row in rows:
        console.say(_one_line(row))


def find_runs(folders: Sequence[Path]) -> list[RunFolder]:
    """The runs that `folders` are or directly hold, in order of their names.

    Raises: RunError when there is none in one of them.
    """
    found: list[RunFolder] = []
    for folder in folders:
        candidates = [RunFolder(folder), *(RunFolder(path) for path in sorted(folder.glob("*")) if path.is_dir())]
        runs_here = [run for run in candidates if run.exists()]
        if not runs_here:
            raise RunError(f"there is no run in {folder}; give a folder that `anymask train --out` made")
        found += runs_here
    return found


def describe(run: RunFolder) -> dict[str, Any]:
    """One row: steps taken and in all, the latest values of all metrics, and the best validation score."""
    config = run.config()
    latest: dict[str, Any] = {}
    best: float | None = None
    for line in run.metrics():
        latest |= line
        score = line.get("val_score")
        if isinstance(score, float) and (best is None or score > best):
            best = score
    step = latest.pop("step", 0)
    finite = {name: value for name, value in latest.items() if not isinstance(value, float) or math.isfinite(value)}
    return {
        "path": str(run.path),
        "step": step,
        "steps": config.get("steps"),
        "latest": finite,
        "best_score": best,
        "config": config,
    }


def _one_line(row: dict[str, Any]) -> str:
    names = {"loss": "loss", "point_iou": "click IoU", "box_iou": "box IoU", "last_iou": "last IoU"}
    values = [f"{shown} {row['latest'][name]:.3f}" for name, shown in names.items() if name in row["latest"]]
    if row["best_score"] is not None:
        values.append(f"best score {row['best_score']:.3f}")
    return f"{row['path']}: step {row['step']} of {row['steps']}" + "".join(f", {value}" for value in values)
