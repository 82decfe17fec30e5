"""The paper's numbers."""

from __future__ import annotations

from anymask.evaluation.matching import SIZES
from anymask.evaluation.protocols import instances, proposals
from anymask.evaluation.published import PUBLISHED, SAM_MINUS_RITM, published


def test_measures_are_called_as_our_own_tables_call_them() -> None:
    ours = set(proposals.measures(proposals.ProposalsConfig(), {1: "r"}))
    assert {name for row in published("proposals") for name in row.scores} <= ours
    for experiment in ("instances_coco", "instances_lvis"):
        for row in published(experiment):
            assert set(row.scores) <= set(instances.measures({}))
            assert len(row.scores) == len(SIZES)


def test_every_number_is_a_share_and_says_where_it_comes_from() -> None:
    for row in PUBLISHED:
        assert row.method.endswith("(paper)")
        assert row.source.startswith("table ")
        assert all(0 < value < 1 for value in row.scores.values())


def test_deltas_to_ritm_are_those_of_23_sets_16_of_them_ahead() -> None:
    assert len(SAM_MINUS_RITM) == 23
    assert sum(value > 0 for value in SAM_MINUS_RITM.values()) == 16
