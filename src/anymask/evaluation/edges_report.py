"""What the edge experiment found, for people: scores with intervals, the precision-recall plot, pictures to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anymask.evaluation.boundaries.scores import curve, score, score_intervals
from anymask.evaluation.edge_finders import EdgeFinder, EdgePicture
from anymask.evaluation.examples import best_middle_worst
from anymask.evaluation.experiment import Experiment
from anymask.evaluation.protocols.edges import ANNOTATORS, EdgesResult, pictures_of
from anymask.evaluation.published import published
from anymask.evaluation.scores import Score
from anymask.figures import Heading, Labels, Line, Panel, Picture, panels
from anymask.figures.pages import Block

MEASURES = {"ods": "ODS", "ois": "OIS", "ap": "AP", "r50": "R50"}
"""The benchmark's figures by the names of tables, in their order."""
SHOWN = 2
"""Best, median and worst pictures, of each as many."""
_GAP_PX = 6
_SEEN = 30
"""A single point is plotted so many times over: the legend goes where the fewest points are, and would hide one."""


def make_experiment(
    result: EdgesResult, data: Sequence[Path | str], finders: Sequence[EdgeFinder], *, with_pictures: bool
) -> Experiment:
    """The report's content; `with_pictures` reads `data` again and finds the first column's edges again.

    Raises: MissingDependencyError for pictures without matplotlib; as `examples`.
    """
    config = result.config
    blocks: list[Block] = []
    if with_pictures:
        blocks = [Heading("Precision and recall"), pr_plot(result), *examples(result, data, finders[:1])]
    return Experiment(
        protocol="edges",
        title="Edges: the Berkeley boundary benchmark",
        method=(
            f"Lines are thinned at each of {config.levels} thresholds (segmentations: at each of their own levels) and "
            f"matched one to one with each annotator's, within {config.tolerance:g} of the diagonal. Precision counts "
            "lines that match any annotator, recall sums over annotators. Numbers of the paper are of BSDS500's 200 "
            f"test pictures. Brackets: {config.bootstrap.level:.0%} bootstrap over pictures."
        ),
        config=config,
        data=[str(path) for path in data],
        columns=[heading(result, column) for column, rows in result.columns.items() if rows],
        facts={
            "pictures": len(next(iter(result.columns.values()))),
            "files": {heading(result, column): column for column in result.columns},
            "curves": curves(result),
        },
        scores=scores(result),
        published=published("edges"),
        remarks=_remarks(result),
        times={
            heading(result, column): (
                sum(row.find_s for row in rows) / len(rows),
                sum(row.match_s for row in rows) / len(rows),
            )
            for column, rows in result.columns.items()
            if rows
        },
        bad=result.bad,
        examples=blocks,
    )


def heading(result: EdgesResult, column: str) -> str:
    """The column's name with what has to stand beside it."""
    note = result.notes.get(column)
    return f"{column} ({note})" if note else column


def scores(result: EdgesResult) -> list[Score]:
    """Every column's figures; annotators have one level, so an F and no area."""
    found = []
    for column, rows in result.columns.items():
        if rows:
            counts, title = [row.counts for row in rows], heading(result, column)
            intervals = score_intervals(counts, result.config.bootstrap)
            wanted = ["ods"] if column == ANNOTATORS else list(MEASURES)
            found += [Score(column=title, measure=MEASURES[name], value=intervals[name]) for name in wanted]
            at_ods = score(counts)
            found.append(Score.plain(title, "precision at ODS", at_ods.ods_precision))
            found.append(Score.plain(title, "recall at ODS", at_ods.ods_recall))
    return found


def curves(result: EdgesResult) -> dict[str, Any]:
    """Per column precision and recall at every level, summed over pictures."""
    found = {}
    for column, rows in result.columns.items():
        if rows:
            line = curve([row.counts for row in rows])
            found[column] = {"precision": line.precision.tolist(), "recall": line.recall.tolist()}
    return found


def pr_plot(result: EdgesResult) -> Picture:
    """Precision over recall, a line a column; what has one level only is a point.

    Raises: MissingDependencyError without matplotlib.
    """
    lines = []
    for column, values in curves(result).items():
        recall, precision = np.array(values["recall"]), np.array(values["precision"])
        order = np.argsort(recall, kind="stable")
        # Levels at which nothing is predicted have no precision.
        order = order[recall[order] > 0]
        if len(order) == 1:
            order = np.repeat(order, _SEEN)
        lines.append(Line(name=heading(result, column), x=recall[order], values=precision[order]))
    labels = Labels(title="All levels, summed over pictures", x="recall", y="precision")
    return Picture(panels([Panel(labels=labels, lines=lines)], columns=1), "Precision over recall", "png")


def examples(result: EdgesResult, data: Sequence[Path | str], finders: Sequence[EdgeFinder]) -> list[Block]:
    """For each of `finders`, its best, median and worst pictures.

    Raises: ImageError or DatasetError when a picture cannot be read any more.
    """
    blocks: list[Block] = []
    for finder in finders:
        ranked = sorted(
            ((score([row.counts]).ods, row.picture) for row in result.columns[finder.name]),
            key=lambda pair: (-pair[0], pair[1]),
        )
        chosen = best_middle_worst(ranked, SHOWN)
        wanted = {name for several in chosen.values() for _, name in several}
        drawn = {
            one.name: example(finder, one, result.config.levels)
            for one in pictures_of(data, result.config)
            if one.name in wanted
        }
        for title, several in chosen.items():
            if several:
                blocks.append(Heading(f"{title}: picture, annotators, {finder.name}"))
                # At full width: lines of one pixel vanish in smaller pictures.
                blocks += [Picture(drawn[name], f"F {f:.3f} - {name}", "png") for f, name in several]
    return blocks


def example(finder: EdgeFinder, picture: EdgePicture, levels: int) -> npt.NDArray[np.uint8]:
    """(H, W', 3) uint8: the picture, what its annotators drew (darker where more agree), and the finder's edges (darker
    where they are surer), side by side.

    Raises: ImageError or DatasetError for a damaged picture.
    """
    truth, edges = np.mean(picture.lines(), axis=0), np.mean(finder.find(picture, levels), axis=0)
    gap = np.full((len(truth), _GAP_PX, 3), 128, np.uint8)
    return np.concatenate([picture.pixels(), gap, _drawn(truth), gap, _drawn(edges)], axis=1)


def _drawn(strength: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8, black lines on white."""
    return np.repeat(np.rint(255 * (1 - strength))[..., None], 3, axis=2).astype(np.uint8)


def _remarks(result: EdgesResult) -> list[str]:
    found = [f"{column}: {note}." for column, note in result.notes.items()]
    if ANNOTATORS in result.columns:
        found.append(
            f"{ANNOTATORS}: each annotator's lines against those of the picture's others. Published for people on "
            "BSDS500's test pictures: F .80 (Arbeláez et al., PAMI 2011, table 1)."
        )
    return found
