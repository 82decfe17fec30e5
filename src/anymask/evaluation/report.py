"""The points experiment as tables for the terminal, CSV and JSON for programs, and a page with pictures for people."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anymask.dataset.labelled import Data
from anymask.errors import RunError
from anymask.evaluation.compare import Comparison, compare
from anymask.evaluation.datasets import abbreviation_of, suite_dataset
from anymask.evaluation.experiment import facts, time_bars, time_table
from anymask.evaluation.metrics import Interval, mean_interval, mean_of_sets_interval
from anymask.evaluation.protocols.points import PointsResult
from anymask.evaluation.published import SAM_MINUS_RITM
from anymask.evaluation.results import MEAN, curve_measure, samples
from anymask.evaluation.showcase import picture_blocks
from anymask.figures import Heading, Labels, Paragraph, Picture, Series, Table, as_text, curves, deltas, html_page
from anymask.figures.pages import Block
from anymask.runs import machine, to_plain, versions, write_atomically

_TITLES = {
    "click": "One click, most confident of three masks",
    "click_oracle": "One click, best of three masks (oracle)",
    "box": "Box, single mask",
    "box_confident": "Box, most confident of three masks",
    "box_oracle": "Box, best of three masks (oracle)",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreRow:
    """The mean IoU of one segmenter on one set, or over the sets."""

    column: str
    measure: str
    set_name: str
    """A set, or `MEAN`."""
    pictures: int
    masks: int
    iou: Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """How far the first column is above another."""

    column: str
    minus: str
    comparison: Comparison


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """All numbers of an experiment."""

    scores: tuple[ScoreRow, ...]
    differences: tuple[Difference, ...]
    """The first column against each other one, for every measure that both have."""


def summarise(result: PointsResult) -> Summary:
    """The scores of every column, and the first column's differences to the others."""
    scores = [
        row for column in result.columns for measure in result.config.measures for row in _rows(result, column, measure)
    ]
    first, *others = result.columns
    differences = []
    for other in others:
        for measure in result.config.measures:
            found = compare(result.columns[first], result.columns[other], measure, result.config.bootstrap)
            if found is not None:
                differences.append(Difference(column=first, minus=other, comparison=found))
    return Summary(scores=tuple(scores), differences=tuple(differences))


def tables(summary: Summary) -> list[tuple[str, Table]]:
    """One titled table per measure: a row a set, a column a segmenter, then the differences; `*` where an interval of a
    difference lies above 0 or below it."""
    found = []
    for measure in dict.fromkeys(row.measure for row in summary.scores):
        rows = [row for row in summary.scores if row.measure == measure]
        columns = list(dict.fromkeys(row.column for row in rows))
        apart = [one for one in summary.differences if one.comparison.measure == measure]
        headings = ["set", "pictures", "masks", *columns, *(f"{one.column} - {one.minus}" for one in apart)]
        lines: list[list[str | int | float]] = []
        for set_name in dict.fromkeys(row.set_name for row in rows):
            here = {row.column: row for row in rows if row.set_name == set_name}
            some = next(iter(here.values()))
            cells = [_shown(here[column].iou) for column in columns]
            deltas = [_shown_difference(_of_set(one.comparison, set_name)) for one in apart]
            lines.append([set_name, some.pictures, some.masks, *cells, *deltas])
        found.append((_title(measure), Table(headings, lines)))
    return found


def to_text(result: PointsResult, summary: Summary) -> str:
    """The tables for a terminal, set by set, with what was left out."""
    parts = [f"{title}\n{as_text(table)}" for title, table in tables(summary)]
    return "\n\n".join([*parts, *_remarks(result)]) + "\n"


def to_csv(summary: Summary) -> str:
    """One line a score or difference: column, minus, measure, set, pictures, masks, iou, low, high."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["column", "minus", "measure", "set", "pictures", "masks", "iou", "low", "high"])
    for row in summary.scores:
        ends = [row.iou.mean, row.iou.low, row.iou.high]
        writer.writerow([row.column, "", row.measure, row.set_name, row.pictures, row.masks, *ends])
    for one in summary.differences:
        for set_name in (*one.comparison.per_set, MEAN):
            interval = _of_set(one.comparison, set_name)
            ends = [interval.mean, interval.low, interval.high]
            writer.writerow([one.column, one.minus, one.comparison.measure, set_name, "", "", *ends])
    return stream.getvalue()


def to_plain_report(result: PointsResult, summary: Summary) -> dict[str, Any]:
    """Settings, scores, differences, and what was left out, as JSON values."""
    return {
        "protocol": "points",
        "config": to_plain(result.config),
        "data": list(result.data),
        "columns": list(result.columns),
        "scores": to_plain(summary.scores),
        "differences": to_plain(summary.differences),
        "without_targets": list(result.without_targets),
        "absent": list(result.absent),
        "notes": list(result.notes),
        "bad": [{"picture": name, "reason": reason} for name, reason in result.bad],
        "seconds_a_picture": {
            name: {"own": own, "scoring": scoring} for name, (own, scoring) in mean_times(result).items()
        },
        "machine": machine(),
        "versions": versions(),
    }


def to_json(result: PointsResult, summary: Summary) -> str:
    """`to_plain_report` as text."""
    return json.dumps(to_plain_report(result, summary), indent=1) + "\n"


def to_html(result: PointsResult, summary: Summary, data: Sequence[Data]) -> str:
    """The page: tables, the click curve, and the first column's best and worst masks of every set beside the truth.

    Reads the pictures shown again from `data`.

    Raises: MissingDependencyError without matplotlib; DatasetError when `data` is not what was evaluated.
    """
    blocks: list[Block] = [Paragraph(text) for text in (_method(result), *_remarks(result))]
    for title, table in tables(summary):
        blocks += [Heading(title), table]
    plotted = _curve_plot(result, summary)
    if plotted is not None:
        blocks += [Heading("More clicks"), plotted]
    blocks += delta_blocks(result, summary)
    times = mean_times(result)
    blocks += [Heading("Seconds a picture"), time_table(times), time_bars({"points": times})]
    blocks += picture_blocks(result, data)
    blocks += [Heading("Configuration"), facts(to_plain(result.config)), Heading("Data")]
    blocks += [Paragraph(name) for name in result.data]
    blocks += [Heading("Machine"), facts(machine()), Heading("Versions"), facts(versions())]
    return html_page("Points: clicks and boxes on labelled pictures", blocks)


def mean_times(result: PointsResult) -> dict[str, tuple[float, float]]:
    """Per column, mean seconds a picture in the segmenter and of the scoring, over pictures with a target."""
    found = {}
    for name, rows in result.columns.items():
        asked = [row for row in rows if row.targets]
        if asked:
            count = len(asked)
            found[name] = sum(row.model_s for row in asked) / count, sum(row.scoring_s for row in asked) / count
    return found


def delta_blocks(result: PointsResult, summary: Summary) -> list[Block]:
    """For each other column a figure of the first one's difference to it, set by set, one click; and, as a series of
    its own, what the paper found for SAM minus RITM on those of its sets that are there."""
    blocks: list[Block] = []
    for one in summary.differences:
        if one.comparison.measure != "click":
            continue
        ranked = sorted(one.comparison.per_set.items(), key=lambda pair: pair[1].mean)
        names = [name for name, _ in ranked]
        paper = [SAM_MINUS_RITM.get(abbreviation_of(name) or "", math.nan) for name in names]
        series = [Series(name=f"{one.column} - {one.minus}", values=[interval.mean for _, interval in ranked])]
        if not all(math.isnan(value) for value in paper):
            series.append(Series(name="SAM ViT-H - RITM (paper, figure 9a)", values=paper))
        labels = Labels(title="One click: difference of mean IoU, set by set", x="IoU")
        caption = f"{one.column} minus {one.minus}, most confident mask of one click ({result.config.first_click})"
        blocks += [Heading(f"{one.column} minus {one.minus}"), Picture(deltas(names, series, labels), caption, "png")]
    return blocks


def write_report(result: PointsResult, data: Sequence[Data], out: Path) -> Summary:
    """Write report.txt, report.csv, report.json and report.html into `out`, and give the numbers in them.

    Raises: as `to_html`; RunError when `out` cannot be written.
    """
    summary = summarise(result)
    files = {
        "report.txt": to_text(result, summary),
        "report.csv": to_csv(summary),
        "report.json": to_json(result, summary),
        "report.html": to_html(result, summary, data),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_atomically(out / name, text.encode())
    except OSError as error:
        raise RunError(f"the report cannot be written into {out} ({error.strerror}); name another folder") from error
    return summary


def read_summary(folder: Path) -> Summary:
    """The numbers that `write_report` left in `folder`.

    Raises: RunError when there is no report there, or not one of this form.
    """
    path = folder / "report.json"
    try:
        plain = json.loads(path.read_bytes())
        scores = [ScoreRow(**{**row, "iou": Interval(**row["iou"])}) for row in plain["scores"]]
        differences = [
            Difference(column=row["column"], minus=row["minus"], comparison=_comparison(row["comparison"]))
            for row in plain["differences"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is no report ({error}); give a folder that `anymask evaluate points` made") from error
    return Summary(scores=tuple(scores), differences=tuple(differences))


def _comparison(plain: dict[str, Any]) -> Comparison:
    return Comparison(
        measure=plain["measure"],
        per_set={name: Interval(**interval) for name, interval in plain["per_set"].items()},
        mean_of_sets=Interval(**plain["mean_of_sets"]),
    )


def _rows(result: PointsResult, column: str, measure: str) -> list[ScoreRow]:
    found, config = samples(result.columns[column], measure), result.config.bootstrap
    rows = [
        ScoreRow(
            column=column,
            measure=measure,
            set_name=name,
            pictures=len(set(sample.pictures)),
            masks=len(sample.values),
            iou=mean_interval(sample, config),
        )
        for name, sample in found.items()
    ]
    if rows:
        overall = mean_of_sets_interval(list(found.values()), config)
        pictures, masks = sum(row.pictures for row in rows), sum(row.masks for row in rows)
        rows.append(
            ScoreRow(column=column, measure=measure, set_name=MEAN, pictures=pictures, masks=masks, iou=overall)
        )
    return rows


def _of_set(comparison: Comparison, set_name: str) -> Interval:
    return comparison.mean_of_sets if set_name == MEAN else comparison.per_set[set_name]


def _title(measure: str) -> str:
    return _TITLES.get(measure) or f"{measure.removeprefix('clicks_')} clicks"


def _shown(interval: Interval) -> str:
    return f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _shown_difference(interval: Interval) -> str:
    certain = interval.low > 0 or interval.high < 0
    return f"{interval.mean:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]{'*' if certain else ''}"


def _method(result: PointsResult) -> str:
    targets, level = result.config.targets, result.config.bootstrap.level
    is_centre = result.config.first_click == "centre"
    first = "the region's most interior pixel" if is_centre else "a pixel drawn from the region"
    return (
        f"Mean IoU over masks. Targets: regions from {targets.min_area_px} px to under {targets.max_area_share:.0%} of "
        f"the picture, {'all' if targets.per_picture is None else f'at most {targets.per_picture}'} of a picture "
        f"(seed {targets.seed}). The first click is {first}, later ones lie in the deepest error. Brackets: "
        f"{level:.0%} bootstrap over pictures; differences are paired, * marks those whose interval leaves out 0."
    )


def _remarks(result: PointsResult) -> list[str]:
    remarks = list(result.notes)
    if result.without_targets:
        remarks.append(f"{len(result.without_targets)} pictures have no region to ask for and are in no score.")
    for set_name in dict.fromkeys(row.set_name for rows in result.columns.values() for row in rows):
        if abbreviation_of(set_name) is not None:
            known = suite_dataset(set_name)
            remarks.append(
                f"{set_name} is {known.abbreviation} of the paper's suite, which sampled {known.pictures:,} pictures "
                f"with {known.masks:,} masks of its split {known.split}."
            )
    if result.absent:
        remarks.append(
            f"{len(result.absent)} datasets of the suite are not there and in no score: {', '.join(result.absent)}; "
            "anymask evaluate datasets NAME says how to get one."
        )
    if result.bad:
        names = "; ".join(f"{name} ({reason})" for name, reason in result.bad)
        remarks.append(f"{len(result.bad)} pictures could not be read and are in no score: {names}")
    return remarks


def _curve_plot(result: PointsResult, summary: Summary) -> Picture | None:
    clicks = list(result.config.clicks)
    if len(clicks) < 2:
        return None
    series = []
    for column in result.columns:
        means = {row.measure: row.iou for row in summary.scores if row.column == column and row.set_name == MEAN}
        measured = [means.get("click" if count == 1 else curve_measure(count)) for count in clicks]
        found = [interval for interval in measured if interval is not None]
        if len(found) == len(clicks):
            values, low, high = zip(*((one.mean, one.low, one.high) for one in found), strict=True)
            series.append(Series(name=column, values=values, low=low, high=high))
    if not series:
        return None
    labels = Labels(title="Mean of sets", x="clicks", y="IoU")
    return Picture(curves(clicks, series, labels), "IoU after each number of clicks, with its interval", "png")
