"""The boundary benchmark's benchmark measures what it says, and its peer solves the same problem."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anymask.dataset.read import read_source
from anymask.dataset.record import Record
from anymask.evaluation.boundaries.matching import match_lines
from benchmarks.boundaries import enlarged, measure, scipy_pairs


@pytest.fixture(scope="module")
def record(data_dir: Path) -> Record:
    return next(one for one in read_source(data_dir / "train-00.tar") if one.set_name == "bsds500")


def test_maps_and_lines_have_the_size_of_the_test_pictures(record: Record) -> None:
    maps, truths = enlarged(record)
    (shape,) = {one.shape for one in (*maps.values(), *truths)}
    assert sorted(shape) == [321, 481]
    assert all(one.min() >= 0 and one.max() <= 1 for one in maps.values())


def test_the_peer_matches_as_many_pixels(record: Record) -> None:
    maps, truths = enlarged(record)
    lines = maps["ridges"] > 0.5
    assert scipy_pairs(lines, truths[0]) == match_lines(lines, truths[0]).predicted.sum() > 0
    assert scipy_pairs(np.eye(5, dtype=bool)[:1], np.eye(5, dtype=bool)[4:]) == 0


def test_what_is_measured_is_told_by_picture(record: Record) -> None:
    measured = measure([record], levels=5, peer_levels=[2])
    assert measured["pictures"] == 1
    assert measured["annotators_a_picture"] == len(record.maps_bytes)
    assert measured["cpu_seconds_a_picture"]["ridges"] > 0
    assert measured["scipy_times_slower"] > 0
