"""Scores by column and measure, as tables and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anymask.evaluation.metrics import Interval
from anymask.figures import Table

ALL_SETS = "all sets"
"""The row of everything together, beside the rows of single sets."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """One number of one column."""

    column: str
    measure: str
    value: Interval
    """With its interval; low and high are NaN where none was computed."""

    @staticmethod
    def plain(column: str, measure: str, value: float) -> Score:
        """A score without interval."""
        return Score(column=column, measure=measure, value=Interval(value, math.nan, math.nan))


def shown(value: Interval, *, sign: bool = False) -> str:
    """The number as tables show it; a difference whose interval leaves out 0 gets a star.

    >>> shown(Interval(0.5, 0.4, 0.6)), shown(Interval(123.0, math.nan, math.nan))
    ('0.500 [0.400, 0.600]', '123.0')
    >>> shown(Interval(0.02, 0.01, 0.03), sign=True), shown(Interval(math.nan, math.nan, math.nan))
    ('+0.020 [+0.010, +0.030]*', '-')
    """
    if math.isnan(value.mean):
        return "-"
    form = "+.3f" if sign else (".1f" if abs(value.mean) > 2 else ".3f")
    if math.isnan(value.low):
        return f"{value.mean:{form}}"
    star = "*" if sign and (value.low > 0 or value.high < 0) else ""
    return f"{value.mean:{form}} [{value.low:{form}}, {value.high:{form}}]{star}"


def score_table(scores: Sequence[Score]) -> Table:
    """A row a measure, a column a column; `-` where there is none."""
    columns = list(dict.fromkeys(score.column for score in scores))
    by_place = {(score.measure, score.column): score.value for score in scores}
    rows = []
    for measure in dict.fromkeys(score.measure for score in scores):
        cells = [by_place.get((measure, column)) for column in columns]
        rows.append([measure, *("-" if cell is None else shown(cell) for cell in cells)])
    return Table(["measure", *columns], rows)


def to_plain_scores(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """As JSON values; null for what is not known."""
    return [
        {
            "column": score.column,
            "measure": score.measure,
            "value": _known(score.value.mean),
            "low": _known(score.value.low),
            "high": _known(score.value.high),
        }
        for score in scores
    ]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
