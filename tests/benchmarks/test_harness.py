import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks import harness
from benchmarks.harness import Options, difference, run


class Side:
    """A side whose one case allocates some megabytes and returns a value."""

    def __init__(self, value: float, megabytes: int) -> None:
        self.value, self.megabytes = value, megabytes

    def __call__(self) -> dict[str, Callable[[], np.ndarray]]:
        def work() -> np.ndarray:
            return np.full(self.megabytes * 2**17, self.value)[:4].copy()

        return {"work": work}


def test_the_difference_is_the_largest_over_all_arrays() -> None:
    a, b = np.zeros((2, 2)), np.array([[0.0, 0.5], [0.0, -2.0]])
    assert difference(a, b) == 2
    assert difference([a, a], [a, b]) == 2


@pytest.mark.slow
def test_a_run_measures_both_sides_and_writes_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(harness, "RESULTS", tmp_path)
    options = Options(cases=["work"], turns=3, threads=1, gflop=1.0)
    report = run("trial", "nobody", Side(1.0, 8), Side(1.5, 256), options)
    (row,) = report.rows
    assert row.turns == 3
    assert row.note == "5.0e-01"
    assert report.peer_peak_mb > report.ours_peak_mb + 200
    assert report.matrix_product_gflops > 0
    (written,) = tmp_path.glob("*/trial.json")
    assert json.loads(written.read_text())["rows"][0]["case"] == "work"
    assert "of the machine's matrix-product rate" in capsys.readouterr().out
