"""An engine's overview as text, as plots and as one page that needs nothing else."""

from __future__ import annotations

import numpy as np

from anymask.data_engine.overview import PAPER_MASKS, PAPER_SECONDS, Overview, TurnLine
from anymask.data_engine.turns.config import ASSISTED, SEMI_AUTOMATIC
from anymask.data_engine.turns.detecting import Detected
from anymask.figures import Heading, Labels, Line, Panel, Paragraph, Picture, Table, as_text, html_page, panels
from anymask.figures.pages import Block
from anymask.figures.pictures import Pixels

NOTHING_YET = "no turn has ended yet"
_DETECTORS = (
    "Trained at the end of a turn, for the people of the next: recall and precision of its boxes at the confidence "
    "from which they are shown, on pictures that it did not learn from."
)


def turns_table(overview: Overview) -> Table:
    """A row a turn."""
    columns = (
        *("turn", "stage", "pictures", "masks", "alone", "s a mask", "clicks a mask", "masks a picture"),
        *("IoU before", "after", "rise, 95 %", "clicks to IoU", "promoted"),
    )
    return Table(columns, [_row(line) for line in overview.turns])


def detectors_table(overview: Overview) -> Table:
    """A row for each turn at whose end a detector was trained."""
    columns = ("turn", "shown from", "recall", "precision", "boxes a picture", "learned from", "measured on")
    return Table(columns, [_detector_row(line.number, line.detector) for line in overview.turns if line.detector])


def deployments_table(overview: Overview) -> Table:
    """A row for each model that was current."""
    rows = [(one.at, one.model_sha256[:12], one.name, one.kind, one.note) for one in overview.deployments]
    return Table(("since", "model", "name", "by", "note"), rows)


def to_text(overview: Overview) -> str:
    """For a terminal."""
    current = overview.deployments[-1] if overview.deployments else None
    model = "none" if current is None else f"{current.name} ({current.model_sha256[:12]}, {current.kind})"
    lines = [
        f"project {overview.project!r}: stage {overview.stage.replace('_', ' ')}, {overview.waiting} pictures wait",
        f"current model: {model}",
    ]
    if overview.unfinished is not None:
        lines.append(f"turn {overview.unfinished} was begun and has not ended; `anymask engine turn` goes on with it")
    if not overview.turns:
        return "\n".join([*lines, NOTHING_YET])
    lines += ["", as_text(turns_table(overview)), ""]
    lines += [f"turn {line.number}: {reason}" for line in overview.turns for reason in _reasons(line)]
    if any(line.detector for line in overview.turns):
        lines += ["", as_text(detectors_table(overview))]
    return "\n".join([*lines, "", as_text(deployments_table(overview))])


def to_page(overview: Overview) -> str:
    """For a browser: the same with plots."""
    blocks: list[Block] = [Paragraph(f"Stage: {overview.stage.replace('_', ' ')}. {overview.waiting} pictures wait.")]
    if overview.turns:
        blocks += [Picture(plots(overview), "This project beside the paper's data engine.", "png")]
        blocks += [Heading("Turns"), turns_table(overview)]
        reasons = [f"Turn {line.number}: {reason}" for line in overview.turns for reason in _reasons(line)]
        blocks += [Paragraph(reason) for reason in reasons]
        if any(line.detector for line in overview.turns):
            blocks += [Heading("Detectors"), Paragraph(_DETECTORS), detectors_table(overview)]
    else:
        blocks.append(Paragraph(f"{NOTHING_YET[:1].upper()}{NOTHING_YET[1:]}."))
    blocks += [Heading("Models"), deployments_table(overview)]
    return html_page(f"Engine of {overview.project}", blocks)


def plots(overview: Overview) -> Pixels:
    """(H, W, 3) uint8: seconds a mask, masks a picture, held-out IoU and clicks over the turns, and the paper's curves.

    Raises: InputError when no turn has ended; MissingDependencyError without matplotlib.
    """
    lines = overview.turns
    at = [line.number for line in lines]
    here = "this project"
    seconds = [Line(name=here, x=at, values=_numbers([line.seconds_a_mask for line in lines]))]
    a_picture = [Line(name=here, x=at, values=_numbers([line.masks_a_picture for line in lines]))]
    assisted = [line.number for line in lines if line.stage == ASSISTED]
    semi = [line.number for line in lines if line.stage == SEMI_AUTOMATIC]
    if assisted:
        seconds.append(Line(name="paper", x=_ends(assisted), values=PAPER_SECONDS))
    parts = [(turns, PAPER_MASKS[stage]) for turns, stage in ((assisted, ASSISTED), (semi, SEMI_AUTOMATIC)) if turns]
    if parts:
        places = [place for turns, _ in parts for place in (*_ends(turns), turns[-1] + 0.5)]
        # Between two stages there is a gap.
        values = [value for _, ends in parts for value in (*ends, np.nan)]
        a_picture.append(Line(name="paper", x=places, values=values))
    from_start = [at[0] - 1, *at]
    before, measure = lines[0].before, lines[0].measure
    kept = _kept([line.after for line in lines], [line.promoted for line in lines], before)
    clicks = _kept([line.clicks_to_iou for line in lines], [line.promoted for line in lines], None)
    start = lines[0].clicks_to_iou_before
    return panels(
        [
            Panel(labels=Labels(title="Seconds a mask", x="turn", y="s"), lines=seconds, counts=True),
            Panel(labels=Labels(title="Masks a picture", x="turn", y="masks"), lines=a_picture, counts=True),
            Panel(
                labels=Labels(title="Held-out pictures, the served model", x="after turn", y=f"IoU, {measure}"),
                lines=[Line(name=here, x=from_start, values=_numbers([before, *kept]))],
                counts=True,
            ),
            Panel(
                labels=Labels(title="Clicks that a mask needs, held out", x="after turn", y="clicks"),
                lines=[Line(name=here, x=from_start, values=_numbers([start, *_filled(clicks, start)]))],
                counts=True,
            ),
        ]
    )


def _reasons(line: TurnLine) -> list[str]:
    return [line.reason, *([f"no detector: {line.no_detector}"] if line.no_detector else [])]


def _row(line: TurnLine) -> list[str | int]:
    return [
        line.number,
        line.stage.replace("_", " "),
        line.pictures,
        line.masks,
        line.masks_alone,
        _shown(line.seconds_a_mask, 1),
        _shown(line.clicks_a_mask, 1),
        _shown(line.masks_a_picture, 1),
        f"{line.before:.3f}",
        f"{line.after:.3f}",
        f"{line.after - line.before:+.3f} [{line.low:+.3f}, {line.high:+.3f}]",
        f"{_shown(line.clicks_to_iou_before, 2)} -> {_shown(line.clicks_to_iou, 2)}",
        "yes" if line.promoted else "no",
    ]


def _detector_row(turn: int, one: Detected) -> list[str | int]:
    measured = [f"{value:.2f}" for value in (one.confidence, one.recall, one.precision)]
    return [turn, *measured, f"{one.boxes_a_picture:.1f}", one.pictures, one.held_pictures]


def _shown(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _numbers(values: list[float | None] | list[float]) -> np.typing.NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _ends(turns: list[int]) -> tuple[float, float]:
    """Where a curve of the paper's stage begins and ends on the axis of these turns."""
    return turns[0] - 0.4, turns[-1] + 0.4


def _kept(values: list[float | None] | list[float], promoted: list[bool], first: float | None) -> list[float | None]:
    """Of the model that is served after each turn: a candidate that is not promoted changes nothing."""
    found: list[float | None] = []
    for value, is_new in zip(values, promoted, strict=True):
        first = value if is_new else first
        found.append(first)
    return found


def _filled(values: list[float | None], first: float | None) -> list[float | None]:
    return [first if value is None else value for value in values]
