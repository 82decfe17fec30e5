from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.generation import SIZE_HW, config_of, ours, write_pictures
from benchmarks.generation import bare_model as measure_bare_model


def test_every_view_is_another_picture_of_the_same_size(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path / "photos", 3)
    assert len({path.read_bytes() for path in paths}) == 3


@pytest.mark.slow
def test_both_sides_are_measured_in_the_same_units(tmp_path: Path, small_model: Path) -> None:
    paths = write_pictures(tmp_path / "photos", 5)
    config = config_of(str(small_model), side=2)
    bare = measure_bare_model(paths[:3], config)
    run = ours(tmp_path / "photos", tmp_path / "out", config, workers=1)
    assert bare.keys() <= run.keys()
    assert all(value > 0 for value in bare.values())
    assert run["pictures_a_minute"] == 60 / run["wall_s"]
    assert SIZE_HW == (480, 640)
