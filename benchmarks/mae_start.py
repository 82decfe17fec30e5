"""What pre-training is worth: one recipe from a pre-trained encoder and from random weights, all else the same.

python benchmarks/mae_start.py --data 'train-*.tar' --validate val.tar --mae runs/mae/model.safetensors --out runs/start

Both runs see the same pictures, masks and clicks in the same order. Each goes on where it was when the command is given
again. The scores are the quick ones that `anymask train --validate` logs, on at most 64 pictures; for error bars give
both weights to `anymask evaluate points`. The curves are printed and kept in
OUT/mae_start.json; OUT/mae_start.png plots what both runs measured while they trained.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from anymask.cli.main import main as anymask
from anymask.figures import Labels, Line, Panel, encode, panels
from anymask.figures.pictures import Pixels
from anymask.runs import RunFolder
from benchmarks.harness import machine

MEASURES = ("click", "box")
SMOOTH = 50
"""Steps that a point of the plotted curves averages."""
Curve = dict[int, dict[str, float]]
"""Step -> mean IoU of each measure."""


def main(arguments: list[str]) -> int:
    """Train both, print and keep their curves; the exit code of the first run that does not end well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "validate"):
        parser.add_argument(f"--{name}", action="append", required=True)
    parser.add_argument("--mae", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe", default="small_vit")
    parser.add_argument("--steps", type=int)
    asked = parser.parse_args(arguments)
    shared = [word for path in asked.data for word in ("--data", path)]
    shared += [word for path in asked.validate for word in ("--validate", path)]
    shared += ["--recipe", asked.recipe, *(["--steps", str(asked.steps)] if asked.steps else [])]
    for name, start in (("random", "random"), ("mae", str(asked.mae))):
        code = anymask(["train", *shared, "--from", start, "--out", str(asked.out / name)])
        if code:
            return code
    curves = {name: curve(RunFolder(asked.out / name)) for name in ("random", "mae")}
    print(table(curves["random"], curves["mae"]))
    result = {"name": "mae_start", "machine": machine(), "recipe": asked.recipe, **curves}
    (asked.out / "mae_start.json").write_text(json.dumps(result, indent=1) + "\n")
    runs = {name: list(RunFolder(asked.out / name).metrics()) for name in ("random", "mae")}
    (asked.out / "mae_start.png").write_bytes(encode(plot(runs)))
    return 0


def plot(runs: dict[str, list[dict[str, float]]]) -> Pixels:
    """Loss, click and box IoU of both runs' training steps, each the mean of the fifty around it."""
    shown = (("loss", "loss"), ("point_iou", "IoU of the first click"), ("box_iou", "IoU of the box"))
    plots = []
    for key, title in shown:
        lines = []
        for name, metrics in runs.items():
            rows = [line for line in metrics if key in line]
            steps, values = [row["step"] for row in rows], [row[key] for row in rows]
            lines.append(Line(name=name, x=steps, values=values, smooth=SMOOTH))
        plots.append(Panel(labels=Labels(title=title, x="step"), lines=lines))
    return panels(plots, columns=3)


def curve(run: RunFolder) -> Curve:
    """The validation scores of a run, step by step."""
    return {
        line["step"]: {name: line[f"val_{name}"] for name in MEASURES}
        for line in run.metrics()
        if all(f"val_{name}" in line for name in MEASURES)
    }


def table(random: Curve, mae: Curve) -> str:
    """Both curves side by side at the steps they share, as Markdown."""
    lines = ["| step | click, random | click, MAE | box, random | box, MAE |", "| --- | --- | --- | --- | --- |"]
    for step in sorted(random.keys() & mae.keys()):
        values = [f"{side[step][name]:.3f}" for name in MEASURES for side in (random, mae)]
        lines.append(f"| {step} | {' | '.join(values)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
