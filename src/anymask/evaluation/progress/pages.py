"""Learning curves, and the pages that show one run or several: one HTML file that needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from anymask.evaluation.progress.comparison import compare_runs, differences_table, score_in_words, scores_table
from anymask.evaluation.progress.history import RECENT_STEPS, VALIDATION, History, flat
from anymask.evaluation.progress.standing import standing_table
from anymask.figures import Heading, Labels, Line, Panel, Paragraph, Picture, Table, html_page, panels
from anymask.figures.pages import Block
from anymask.figures.pictures import Pixels
from anymask.images.load import load_image

SHEETS_SHOWN = 4
"""Contact sheets on a run's page, the latest first."""
_SMOOTH_SHARE = 50
"""Curves are smoothed over this part of the longest run, so that runs beside each other are smoothed alike."""
_SMOOTH_AT_MOST = 5
"""A curve of K values is smoothed over no more than K / this many: a short run keeps its shape."""
_SHEET = re.compile(r"step_(\d+)\.jpg")
_ANSWERS = ("point_iou", "box_iou", "last_iou")


def learning_curves(history: History) -> Pixels | None:
    """(H, W, 3) uint8: loss, IoU of the answers, learning rate, time and validation scores over steps; None before any.

    Thick lines are means over nearby steps (a fiftieth of the run, at least 50), the values themselves faint behind.

    Raises: MissingDependencyError without matplotlib.
    """
    scores = [name for name in history.curves if name.startswith(VALIDATION) and "/" not in name]
    groups = {
        "Loss": ["loss"],
        "IoU of answers while training": list(_ANSWERS),
        "IoU on validation pictures": scores,
        "Learning rate": ["lr"],
        "Seconds a step": ["seconds"],
    }
    plots = []
    for title, names in groups.items():
        there = [name for name in names if name in history.curves]
        # Beside the title, a legend of one name would say the same again.
        lines = [_line(history, name, score_in_words(name) if len(names) > 1 else "", history.step) for name in there]
        if lines:
            plots.append(Panel(labels=Labels(title=title, x="step"), lines=lines))
    return panels(plots) if plots else None


def overlaid_curves(histories: Sequence[History]) -> Pixels | None:
    """(H, W, 3) uint8: a plot a value, a line a run; None when nothing is logged yet.

    Raises: MissingDependencyError without matplotlib.
    """
    scores = dict.fromkeys(name for h in histories for name in h.curves if name.startswith(VALIDATION))
    names = ["loss", *_ANSWERS, *(name for name in scores if "/" not in name), "lr", "seconds"]
    longest = max((history.step for history in histories), default=0)
    plots = []
    for name in names:
        lines = [_line(history, name, str(history.path), longest) for history in histories if name in history.curves]
        if lines:
            plots.append(Panel(labels=Labels(title=score_in_words(name), x="step"), lines=lines))
    return panels(plots) if plots else None


def run_page(history: History, skipped: Mapping[str, int] | None) -> str:
    """The page of one run: where it is, its curves, its latest contact sheets, scores of single sets, configuration.

    Raises: MissingDependencyError without matplotlib; ImageError for a damaged contact sheet.
    """
    blocks: list[Block] = [standing_table(history, skipped)]
    drawn = learning_curves(history)
    if drawn is not None:
        blocks += [
            Heading("Learning curves"),
            Picture(drawn, "Thick: means over nearby steps. Faint: each step.", "png"),
        ]
    blocks += _set_scores(history)
    sheets = latest_sheets(history.path)
    if sheets:
        blocks += [
            Heading("Contact sheets"),
            Paragraph(
                "Each tile: the true mask on the left, the answer to the first prompt on the right; its IoU, then the "
                "IoU after the last round."
            ),
        ]
        blocks += [Picture(load_image(path).pixels, f"step {step}") for step, path in sheets]
    config = [[name, "none" if value == [] else str(value)] for name, value in flat(history.config).items()]
    return html_page(f"Run {history.path}", [*blocks, Heading("Configuration"), Table(("field", "value"), config)])


def comparison_page(histories: Sequence[History]) -> str:
    """The page of several runs: what differs, scores side by side, and every curve with a line a run.

    Raises: as `compare_runs`; MissingDependencyError without matplotlib.
    """
    comparison = compare_runs(histories)
    blocks: list[Block] = [Heading("What differs"), differences_table(comparison)]
    if not comparison.differences:
        blocks.append(Paragraph("Nothing: the configurations are the same."))
    blocks += [Heading("Scores"), scores_table(comparison)]
    drawn = overlaid_curves(histories)
    if drawn is not None:
        blocks += [
            Heading("Learning curves"),
            Picture(drawn, "Thick: means over nearby steps. Faint: each step.", "png"),
        ]
    return html_page("Runs compared", blocks)


def latest_sheets(folder: Path) -> list[tuple[int, Path]]:
    """(step, file) of the newest contact sheets of the run in `folder`, newest first."""
    found = [(int(name[1]), path) for path in (folder / "sheets").glob("*") if (name := _SHEET.fullmatch(path.name))]
    return sorted(found, reverse=True)[:SHEETS_SHOWN]


def _line(history: History, name: str, title: str, longest: int) -> Line:
    """The curve `name`; `longest` is the last step of the longest run in the plot."""
    curve = history.curves[name]
    smooth = 1
    # The learning rate has no noise to take away, and few scores are on validation pictures.
    if name != "lr" and not name.startswith(VALIDATION):
        spacing = curve.steps[-1] / len(curve.steps)
        width = max(RECENT_STEPS, longest / _SMOOTH_SHARE) / spacing
        smooth = max(1, min(round(width), len(curve.steps) // _SMOOTH_AT_MOST))
    return Line(name=title, x=curve.steps, values=curve.values, smooth=smooth)


def _set_scores(history: History) -> list[Block]:
    """The last scores of each validation set, a row a set, a column a measure."""
    cells: dict[str, dict[str, float]] = {}
    for name, value in history.scores(history.step).items():
        measure, slash, set_name = name.partition("/")
        if slash:
            cells.setdefault(set_name, {})[measure] = value
    if not cells:
        return []
    measures = list(dict.fromkeys(measure for row in cells.values() for measure in row))
    rows = [[name, *(row.get(measure, "-") for measure in measures)] for name, row in cells.items()]
    return [Heading("Last scores on each validation set"), Table(("set", *measures), rows)]
