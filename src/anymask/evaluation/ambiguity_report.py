"""The ambiguity experiment as a table, JSON, and a page with the calibration plot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from anymask.errors import RunError
from anymask.evaluation.metrics import Interval
from anymask.evaluation.protocols.ambiguity import AmbiguityResult
from anymask.figures import Heading, Labels, Line, Panel, Paragraph, Picture, Table, as_text, html_page, panels
from anymask.figures.pages import Block
from anymask.figures.pictures import Pixels
from anymask.runs import to_plain, write_atomically

_X = "predicted IoU"
_HEADINGS = (
    "set",
    "pictures",
    "clicks",
    "Spearman",
    "chosen is best",
    "chosen",
    "best of 3",
    "nested",
    "smallest / largest",
    "calibration error",
)


def table(result: AmbiguityResult) -> Table:
    """A row a set: see `Standing` for what the columns are."""
    rows: list[list[str | int | float]] = []
    for one in result.standings:
        intervals = (one.spearman, one.chosen_is_best, one.confident, one.oracle, one.contained)
        last = [f"{one.smallest_to_largest:.3f}", f"{one.calibration_error:.3f}"]
        rows.append([one.set_name, one.pictures, one.clicks, *map(_shown, intervals), *last])
    return Table(list(_HEADINGS), rows)


def to_text(result: AmbiguityResult) -> str:
    """The table for a terminal, and what was left out."""
    return "\n\n".join([as_text(table(result)), *_remarks(result)]) + "\n"


def to_plain_report(result: AmbiguityResult, model: str) -> dict[str, Any]:
    """Settings and figures as JSON values."""
    return {
        "protocol": "ambiguity",
        "columns": [model],
        "model": model,
        "config": to_plain(result.config),
        "standings": to_plain(result.standings),
        "calibration": [
            {"predicted": said, "actual": true, "masks": count} for said, true, count in result.calibration
        ],
        "without_targets": list(result.without_targets),
        "bad": [{"picture": name, "reason": reason} for name, reason in result.bad],
    }


def calibration_plot(result: AmbiguityResult) -> Pixels:
    """Actual IoU over predicted IoU, bin by bin, and how many masks each bin holds.

    Raises: MissingDependencyError without matplotlib.
    """
    said, true, counts = ([entry[index] for entry in result.calibration] for index in range(3))
    diagonal = Line(name="perfect", x=[0.0, 1.0], values=[0.0, 1.0])
    measured = Line(name="measured", x=said, values=true)
    held = Line(name="measured", x=said, values=counts)
    return panels(
        [
            Panel(
                labels=Labels(title="Calibration", x="predicted IoU", y="mean actual IoU"), lines=[measured, diagonal]
            ),
            Panel(labels=Labels(title="Masks a bin", x="predicted IoU", y="masks"), lines=[held]),
        ]
    )


def write_report(result: AmbiguityResult, model: str, out: Path) -> None:
    """Write report.txt, report.json and report.html into `out`.

    Raises: MissingDependencyError without matplotlib; RunError when `out` cannot be written.
    """
    blocks: list[Block] = [
        Paragraph(f"Model: {model}."),
        Paragraph(_method(result)),
        *map(Paragraph, _remarks(result)),
        table(result),
        Heading("Is predicted IoU what it says?"),
        Picture(calibration_plot(result), "Bins of predicted IoU over all sets; on the diagonal it is true", "png"),
    ]
    files = {
        "report.txt": to_text(result),
        "report.json": json.dumps(to_plain_report(result, model), indent=1) + "\n",
        "report.html": html_page("Ambiguity: the three masks of one click", blocks),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_atomically(out / name, text.encode())
    except OSError as error:
        raise RunError(f"the report cannot be written into {out} ({error.strerror}); name another folder") from error


def _method(result: AmbiguityResult) -> str:
    config = result.config
    return (
        "One click in the middle of each region, answered with three masks. Spearman: rank correlation of predicted "
        "and actual IoU over all masks. Chosen is best: the most confident mask is the best of the three. Nested: of "
        f"the three by size, {config.contained_from:.0%} of the smaller lies in the next larger, twice. Smallest / "
        "largest: median quotient of their areas. Calibration error: mean distance of predicted and actual IoU in "
        f"{config.bins} bins. Brackets: {config.bootstrap.level:.0%} bootstrap over pictures."
    )


def _remarks(result: AmbiguityResult) -> list[str]:
    remarks = []
    if result.without_targets:
        remarks.append(f"{len(result.without_targets)} pictures have no region to click on and are in no figure.")
    if result.bad:
        names = "; ".join(f"{name} ({reason})" for name, reason in result.bad)
        remarks.append(f"{len(result.bad)} pictures could not be read and are in no figure: {names}")
    return remarks


def _shown(interval: Interval) -> str:
    return f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
