import json
from pathlib import Path

import numpy as np
import pytest

from anymask.errors import RunError
from anymask.evaluation.ambiguity_report import calibration_plot, table, to_text, write_report
from anymask.evaluation.protocols.ambiguity import AmbiguityConfig, AmbiguityResult, look_at, stand


@pytest.fixture
def result() -> AmbiguityResult:
    config = AmbiguityConfig()
    masks = np.zeros((3, 8, 8), bool)
    masks[0, :2], masks[1, :4], masks[2, :6] = True, True, True
    answers = [look_at([0.1, 0.8, 0.3], masks, np.array([0.2, 0.9, 0.4]), name) for name in ("a", "b")]
    return AmbiguityResult(
        config=config,
        standings=(stand("<set>", answers, config),),
        calibration=((0.1, 0.2, 2), (0.8, 0.9, 2)),
        without_targets=("set/plain",),
        bad=(("set/broken", "no picture"),),
    )


def test_the_table_has_a_row_a_set_and_a_cell_a_heading(result: AmbiguityResult) -> None:
    (row,) = table(result).rows
    assert len(row) == len(table(result).columns)
    assert row[:4] == ["<set>", 2, 2, "1.000 [1.000, 1.000]"]


def test_the_report_names_what_was_left_out_and_is_read_back(result: AmbiguityResult, tmp_path: Path) -> None:
    write_report(result, "tiny", tmp_path)
    assert "1 pictures have no region" in to_text(result)
    assert "set/broken (no picture)" in to_text(result)
    assert (tmp_path / "report.txt").read_text() == to_text(result)
    plain = json.loads((tmp_path / "report.json").read_text())
    assert plain["standings"][0]["contained"]["mean"] == 1
    assert plain["calibration"][1] == {"predicted": 0.8, "actual": 0.9, "masks": 2}
    page = (tmp_path / "report.html").read_text()
    assert "&lt;set&gt;" in page
    assert "<set>" not in page


def test_the_calibration_plot_shows_something(result: AmbiguityResult) -> None:
    pixels = calibration_plot(result)
    assert pixels.dtype == np.uint8
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 3


def test_a_folder_that_cannot_be_written_is_named(result: AmbiguityResult, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="file"):
        write_report(result, "tiny", tmp_path / "file")
