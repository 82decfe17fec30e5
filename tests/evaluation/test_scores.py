"""Scores as tables."""

from __future__ import annotations

import math

from anymask.evaluation.metrics import Interval
from anymask.evaluation.scores import Score, score_table, shown, to_plain_scores

SCORES = [
    Score(column="a", measure="AP", value=Interval(0.5, 0.4, 0.6)),
    Score(column="b", measure="AP", value=Interval(math.nan, math.nan, math.nan)),
    Score.plain("b", "proposals", 321.0),
]


def test_a_row_is_a_measure_and_a_column_a_column() -> None:
    table = score_table(SCORES)
    assert list(table.columns) == ["measure", "a", "b"]
    assert [list(row) for row in table.rows] == [["AP", "0.500 [0.400, 0.600]", "-"], ["proposals", "-", "321.0"]]


def test_json_has_null_for_what_is_not_known() -> None:
    plain = to_plain_scores(SCORES)
    assert plain[0] == {"column": "a", "measure": "AP", "value": 0.5, "low": 0.4, "high": 0.6}
    assert plain[1]["value"] is None
    assert plain[2] == {"column": "b", "measure": "proposals", "value": 321.0, "low": None, "high": None}


def test_a_difference_whose_interval_leaves_out_zero_has_a_star() -> None:
    assert shown(Interval(-0.02, -0.03, -0.01), sign=True).endswith("*")
    assert not shown(Interval(0.02, -0.03, 0.03), sign=True).endswith("*")
