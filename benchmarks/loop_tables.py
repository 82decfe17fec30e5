"""The tables of docs/experiments/loop.md from an engine's folder, and its plot.

    python -m benchmarks.loop_tables LOOP_DEMO/engine --plot docs/pictures/loop_turns.png

One of the turns (what people did, from the simulated people's notes, and the gate's decision), one of the detectors,
two of the people's work (by kind of mask, by set of pictures), one of every model's scores.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from statistics import mean

sys.path.insert(0, str(Path(__file__).parents[1]))

from anymask.data_engine.loop import TurnReport
from anymask.data_engine.overview import Overview, line_of
from anymask.data_engine.overview_page import detectors_table, plots
from anymask.data_engine.simulated_notes import effort, pictures_of
from anymask.data_engine.turns.folder import END, TurnFolders
from anymask.data_engine.turns.score import ALSO, ModelScores
from anymask.figures.pictures import encode
from anymask.figures.tables import Table, as_markdown

MEASURES = ("click", "click_oracle", "box", "clicks_3", "clicks_5", "clicks_9")


def main(arguments: list[str]) -> None:
    """Print the tables, and write the plot where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", type=Path)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the curves of `anymask engine status --html`")
    asked = parser.parse_args(arguments)
    engine: Path = asked.engine
    reports = [turn.read(END, TurnReport) for turn in TurnFolders(engine).finished()]
    if not reports:
        sys.exit(f"no turn has ended in {engine}")
    overview = _overview(engine, reports)
    worked = work_table(engine, reports), sets_table(engine, reports)
    tables = (turns_table(engine, reports), detectors_table(overview), *worked, models_table(reports))
    print(*map(as_markdown, tables), sep="\n\n")
    if asked.plot is not None:
        asked.plot.write_bytes(encode(plots(overview), "png"))


def _overview(engine: Path, reports: list[TurnReport]) -> Overview:
    """Of the turns alone."""
    known = [one if one.effort else replace(one, effort=effort(engine, one.number)) for one in reports]
    lines = tuple(line_of(one) for one in known)
    return Overview(project=engine.name, stage=reports[-1].next_stage, turns=lines, deployments=(), waiting=0)


def turns_table(engine: Path, reports: list[TurnReport]) -> Table:
    """A row a turn."""
    columns = ("turn", "stage", "work", "clicks a mask", "s a mask by hand", "s a mask kept", "masks a picture")
    rows: list[list[str | int]] = []
    for one in reports:
        done, verdict = effort(engine, one.number), one.decision.verdicts[0]
        if done is not None:
            work = f"{done.pictures} pictures, {done.kept} masks"
            cells = [f"{done.clicks_a_mask:.1f}", f"{done.seconds_a_mask:.1f}", f"{done.seconds_a_kept_mask:.1f}"]
            decided = f"{done.accepted} accepted, {done.fixed} fixed, {done.dropped} dropped"
            has_any = done.accepted + done.fixed + done.dropped > 0
            cells += [f"{done.masks_a_picture:.1f}", decided if has_any else "-"]
        elif one.generated is not None:
            work = f"none; {one.generated.masks} masks alone on {one.generated.pictures} pictures"
            cells = ["-", "-", "-", f"{one.generated.masks_a_picture:.1f}", "-"]
        else:
            work, cells = "-", ["-"] * 5
        interval = f"{verdict.difference:+.3f} [{verdict.low:+.3f}, {verdict.high:+.3f}]"
        change = f"{verdict.before:.3f} -> {verdict.after:.3f} ({interval})"
        promoted = "yes" if one.decision.promote else "no"
        rows.append([one.number, one.stage.replace("_", "-"), work, *cells, change, promoted])
    return Table((*columns, "proposals", "held-out click IoU, 95 %", "promoted"), rows)


def work_table(engine: Path, reports: list[TurnReport]) -> Table:
    """A row a turn and kind of mask: how many the simulated people made, and what one took."""
    rows: list[list[str | int]] = []
    for number in (one.number for one in reports):
        made: dict[str, list[float]] = {}
        for picture in pictures_of(engine, number).values():
            for mask in picture["masks"]:
                made.setdefault(mask["what"], []).append(mask["seconds"])
        rows += [[number, what, len(seconds), f"{mean(seconds):.1f}"] for what, seconds in sorted(made.items())]
    return Table(("turn", "mask", "masks", "s a mask"), rows)


def sets_table(engine: Path, reports: list[TurnReport]) -> Table:
    """A row a turn and set: the pictures that the simulated people did."""
    rows: list[list[str | int]] = []
    for number in (one.number for one in reports):
        kept: dict[str, list[int]] = {}
        for name, picture in pictures_of(engine, number).items():
            count = sum(mask["what"] != "dropped" for mask in picture["masks"])
            kept.setdefault(name.split("/")[0], []).append(count)
        rows += [[number, name, len(counts), f"{mean(counts):.1f}"] for name, counts in sorted(kept.items())]
    return Table(("turn", "set", "pictures", "masks a picture"), rows)


def models_table(reports: list[TurnReport]) -> Table:
    """A row a model and kind of data: the first model, and the candidate of every turn."""
    names = {reports[0].model_before: "first"} if reports else {}
    for one in reports:
        names[one.candidate] = f"turn {one.number}" + ("" if one.decision.promote else " (not promoted)")
    scores: dict[tuple[bool, str], ModelScores] = {}
    for one in reports:
        for each in one.scores:
            scores.setdefault((each.data == ALSO, each.model_sha256), each)
    columns = ("model", "scored on", "one click", "best of three", "box", "3 clicks", "5 clicks", "9 clicks")
    rows: list[list[str]] = []
    for (_, sha256), each in sorted(scores.items(), key=lambda item: item[0][0]):
        cells = [f"{each.means[measure]:.3f}" for measure in MEASURES] + [
            "-" if each.clicks_a_mask is None else f"{each.clicks_a_mask:.2f}"
        ]
        rows.append([names[sha256], each.data, *cells])
    return Table((*columns, "clicks to the IoU"), rows)


if __name__ == "__main__":
    main(sys.argv[1:])
