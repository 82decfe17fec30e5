"""What an experiment found, as one self-contained page, JSON, CSV and text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anymask.errors import RunError
from anymask.evaluation.published import Published
from anymask.evaluation.scores import Score, score_table, to_plain_scores
from anymask.figures import Heading, Labels, Paragraph, Picture, Series, Table, as_text, bars, html_page
from anymask.figures.pages import Block
from anymask.runs import machine, to_plain, versions, write_atomically

_ACROSS = 6
"""Columns of a table of scores from which on its rows and columns change places."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Experiment:
    """Everything a report shows."""

    protocol: str
    """The verb: `proposals`, `instances`, ..."""
    title: str
    method: str
    """What was measured and how, for a reader of the page."""
    config: Any
    """The settings, a dataclass."""
    data: Sequence[str]
    """What was evaluated on, as given."""
    columns: Sequence[str]
    scores: Sequence[Score]
    facts: dict[str, Any] = field(default_factory=dict)
    """What `anymask evaluate compare` has to know beside the settings."""
    published: Sequence[Published] = ()
    remarks: Sequence[str] = ()
    """What was left out, and what has to be known beside the numbers."""
    times: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Per column, seconds a picture: of the column itself, and of the scoring."""
    bad: Sequence[tuple[str, str]] = ()
    """Pictures that could not be used, each with the reason."""
    examples: Sequence[Block] = ()
    """Pictures to look at."""


def to_text(experiment: Experiment) -> str:
    """The tables and remarks for a terminal."""
    parts = [as_text(table) for _, table in tables(experiment)]
    return "\n\n".join([*parts, *remarks(experiment)]) + "\n"


def tables(experiment: Experiment) -> list[tuple[str, Table]]:
    """Titled tables: our scores with the paper's numbers beside, then seconds a picture."""
    scores = _beside(score_table(experiment.scores), experiment.published)
    found = [("Scores", scores if len(scores.columns) <= _ACROSS else _turned(scores))]
    if experiment.times:
        found.append(("Seconds a picture", time_table(experiment.times)))
    return found


def remarks(experiment: Experiment) -> list[str]:
    """What was left out, by name."""
    found = list(experiment.remarks)
    if experiment.bad:
        named = "; ".join(f"{name} ({reason})" for name, reason in experiment.bad)
        found.append(f"{len(experiment.bad)} pictures could not be used and are in no score: {named}")
    return found


def to_plain_experiment(experiment: Experiment) -> dict[str, Any]:
    """Settings, scores, times, published numbers with their source, and what was left out, as JSON values."""
    return {
        "protocol": experiment.protocol,
        "config": to_plain(experiment.config),
        "data": list(experiment.data),
        "columns": list(experiment.columns),
        "facts": to_plain(experiment.facts),
        "scores": to_plain_scores(experiment.scores),
        "published": [
            {"method": row.method, "source": f"arXiv 2304.02643, {row.source}", "scores": dict(row.scores)}
            for row in experiment.published
        ],
        "seconds_a_picture": {name: {"own": pair[0], "scoring": pair[1]} for name, pair in experiment.times.items()},
        "remarks": list(experiment.remarks),
        "bad": [{"picture": name, "reason": reason} for name, reason in experiment.bad],
        "machine": machine(),
        "versions": versions(),
    }


def to_csv(experiment: Experiment) -> str:
    """One line a score: column, measure, value, low, high; then the published ones, without interval."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["column", "measure", "value", "low", "high"])
    for row in to_plain_scores(experiment.scores):
        writer.writerow(["" if value is None else value for value in row.values()])
    for published in experiment.published:
        for measure, value in published.scores.items():
            writer.writerow([published.method, measure, value, "", ""])
    return stream.getvalue()


def to_html(experiment: Experiment) -> str:
    """The page.

    Raises: MissingDependencyError without matplotlib.
    """
    blocks: list[Block] = [Paragraph(text) for text in (experiment.method, *remarks(experiment))]
    for title, table in tables(experiment):
        blocks += [Heading(title), table]
    blocks += [Heading("Scores as bars"), _score_bars(experiment)]
    if experiment.times:
        blocks += [Heading("Time a picture"), time_bars({experiment.protocol: experiment.times})]
    blocks += experiment.examples
    blocks += [Heading("Configuration"), facts(to_plain(experiment.config)), Heading("Data")]
    blocks += [Paragraph(name) for name in experiment.data]
    blocks += [Heading("Machine"), facts(machine()), Heading("Versions"), facts(versions())]
    return html_page(experiment.title, blocks)


def write_experiment(experiment: Experiment, out: Path) -> None:
    """Write report.txt, report.csv, report.json and report.html into `out`.

    Raises: as `to_html`; RunError when `out` cannot be written.
    """
    files = {
        "report.txt": to_text(experiment),
        "report.csv": to_csv(experiment),
        "report.json": json.dumps(to_plain_experiment(experiment), indent=1, allow_nan=False) + "\n",
        "report.html": to_html(experiment),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_atomically(out / name, text.encode())
    except OSError as error:
        raise RunError(f"the report cannot be written into {out} ({error.strerror}); name another folder") from error


def time_table(times: dict[str, tuple[float, float]]) -> Table:
    """Seconds a picture of each column."""
    rows = [[name, *(f"{value:.4f}" for value in pair)] for name, pair in times.items()]
    return Table(["column", "its own work", "scoring"], rows)


def time_bars(times: dict[str, dict[str, tuple[float, float]]]) -> Picture:
    """Seconds a picture of protocols and columns as bars: the column's own work and the scoring apart.

    Raises: MissingDependencyError without matplotlib.
    """
    named = {f"{protocol} {column}": pair for protocol, one in times.items() for column, pair in one.items()}
    own, scoring = zip(*named.values(), strict=True)
    series = [Series(name="model", values=own), Series(name="scoring", values=scoring)]
    plot = bars(list(named), series, Labels(title="Time a picture", y="seconds"))
    return Picture(plot, "Seconds a picture: what the column itself takes, and what scoring it takes", "png")


def _turned(table: Table) -> Table:
    """The same with rows for columns: many columns do not fit a page or a terminal."""
    first, *rest = zip(table.columns, *table.rows, strict=True)
    return Table(["column", *(str(cell) for cell in first[1:])], rest)


def _beside(table: Table, rows: Sequence[Published]) -> Table:
    """The table with a column for each published row; `-` where the paper has no such number."""
    lines = [
        [*line, *(f"{row.scores[str(line[0])]:.3f}" if str(line[0]) in row.scores else "-" for row in rows)]
        for line in table.rows
    ]
    return Table([*table.columns, *(row.method for row in rows)], lines)


def _score_bars(experiment: Experiment) -> Picture:
    measures = [
        measure
        for measure in dict.fromkeys(score.measure for score in experiment.scores)
        if all(0 <= one.value.mean <= 1 for one in experiment.scores if one.measure == measure)
    ]
    series = []
    for column in experiment.columns:
        own = {score.measure: score.value for score in experiment.scores if score.column == column}
        found = [own.get(measure) for measure in measures]
        values, low, high = (
            [float("nan") if one is None else getattr(one, part) for one in found] for part in ("mean", "low", "high")
        )
        series.append(Series(name=column, values=values, low=low, high=high))
    for row in experiment.published:
        values = [row.scores.get(measure, float("nan")) for measure in measures]
        series.append(Series(name=row.method, values=values))
    return Picture(bars(measures, series, Labels(y="score")), "Scores with their intervals", "png")


def facts(plain: Any) -> Table:
    """Names and values of nested settings, one a row."""
    return Table(["setting", "value"], [[name, value] for name, value in _flat(plain, "")])


def _flat(plain: Any, prefix: str) -> list[tuple[str, str]]:
    if isinstance(plain, dict):
        parts = [(f"{prefix}.{key}" if prefix else str(key), value) for key, value in plain.items()]
        return [pair for name, value in parts for pair in _flat(value, name)]
    return [(prefix, json.dumps(plain) if not isinstance(plain, str) else plain)]
