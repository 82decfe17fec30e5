"""The detector's benchmark measures both ways on the same pictures, and says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.detector import main, table


@pytest.mark.slow
def test_both_ways_are_measured_on_the_held_pictures(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plates = str(repository / "demo" / "plates")
    asked = [plates, "--held", plates, "--out", str(tmp_path / "run"), "--steps", "12", "--compared", "2"]
    report, found = main(asked)
    assert [one.way.split(",")[0] for one in found] == ["detector", "detector", "grid of 16 x 16 clicks"]
    proposed, shown, grid = found
    assert 0 <= proposed.masks <= shown.masks
    assert grid.masks > 0
    assert all(0 <= share <= 1 for one in found for share in (one.box_recall, one.mask_recall, one.precision))
    assert proposed.good_recall <= proposed.mask_recall
    assert grid.seconds > 0
    printed = capsys.readouterr().out
    assert printed.strip() == table(report, found, 2)
    assert f"**{report.confidence:.2f}**" in printed
    assert len(json.loads((tmp_path / "run" / "compared.json").read_bytes())) == 3
