"""Keep a run's metrics among docs/runs, and plot runs that went on from one another as one curve.

    python docs/learning_curves.py keep runs/tiny docs/runs/tiny
    python docs/learning_curves.py plot docs/runs/tiny docs/runs/tiny_longer --out docs/pictures/tiny_curves.png

Kept are the resolved configuration, the versions, and means over ten steps of what was measured.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from anymask.figures import Labels, Line, Panel, encode, panels
from anymask.figures.pictures import Pixels
from anymask.runs import RunFolder

STEPS = 10
"""Steps that one kept line averages."""
SMOOTH = 20
"""Kept lines that a point of a curve averages."""
KEPT = ("loss", "lr", "masks", "point_iou", "box_iou", "last_iou", "seconds")
SHOWN = {"point_iou": "IoU of the first click", "box_iou": "IoU of the box", "last_iou": "IoU after the last click"}


def main(arguments: Sequence[str]) -> int:
    """Keep or plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    keeping = verbs.add_parser("keep")
    keeping.add_argument("run", type=Path)
    keeping.add_argument("folder", type=Path)
    plotting = verbs.add_parser("plot")
    plotting.add_argument("runs", type=Path, nargs="+")
    plotting.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    if given.verb == "keep":
        keep(given.run, given.folder)
    else:
        given.out.write_bytes(encode(plot(given.runs)))
    return 0


def keep(run: Path, folder: Path) -> None:
    """Configuration, versions and thinned metrics of `run` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "versions.json"):
        shutil.copy(run / name, folder / name)
    groups: dict[int, list[dict[str, float]]] = {}
    for line in RunFolder(run).metrics():
        if "loss" in line:
            groups.setdefault(-(-int(line["step"]) // STEPS) * STEPS, []).append(line)
    with (folder / "metrics.jsonl").open("w") as out:
        for step, lines in sorted(groups.items()):
            out.write(json.dumps({"step": step} | means(lines), sort_keys=False) + "\n")


def means(lines: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each kept measure, over the lines that have it."""
    found = {name: [line[name] for line in lines if name in line] for name in KEPT}
    return {name: round(sum(values) / len(values), 6) for name, values in found.items() if values}


def plot(runs: Sequence[Path]) -> Pixels:
    """One panel a measure, one line a run, each where the one before it ended."""
    kept = [list(RunFolder(run).metrics()) for run in runs]
    begins = [0]
    for lines in kept:
        begins.append(begins[-1] + int(lines[-1]["step"]))
    plots = []
    for key, title in SHOWN.items():
        drawn = [
            Line(
                name=run.name,
                x=[begin + line["step"] for line in lines if key in line],
                values=[line[key] for line in lines if key in line],
                smooth=SMOOTH,
            )
            for run, begin, lines in zip(runs, begins, kept, strict=False)
        ]
        plots.append(Panel(labels=Labels(title=title, x="step"), lines=drawn))
    return panels(plots, columns=3)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
