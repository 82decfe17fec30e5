"""The wire types of statistics hold what is computed, field for field."""

from __future__ import annotations

from dataclasses import fields

import pytest

from anymask.data_engine import statistics
from anymask.server import statistics_schemas


@pytest.mark.parametrize(
    ("computed", "wire"),
    [
        (statistics.Spread, statistics_schemas.Spread),
        (statistics.GroupStatistics, statistics_schemas.MaskStatistics),
        (statistics.ProposalStatistics, statistics_schemas.ProposalStatistics),
        (statistics.ProjectStatistics, statistics_schemas.Statistics),
    ],
)
def test_every_number_that_is_computed_is_told(computed: type, wire: type[statistics_schemas.Wire]) -> None:
    assert {field.name for field in fields(computed)} == set(wire.model_fields)
