from dataclasses import dataclass
from pathlib import Path

from anymask.runs import RunFolder
from benchmarks.mae_start import curve, table


@dataclass(frozen=True)
class _Config:
    steps: int = 2


def test_two_runs_are_compared_at_the_steps_they_share(tmp_path: Path) -> None:
    random, mae = (RunFolder.create(tmp_path / name, _Config()) for name in ("random", "mae"))
    for run, score in ((random, 0.25), (mae, 0.5)):
        run.log(1, loss=0.7)
        run.log(1, val_click=score, val_box=score + 0.125, val_score=score)
    mae.log(2, val_click=0.75, val_box=0.75)
    assert curve(random) == {1: {"click": 0.25, "box": 0.375}}
    assert table(curve(random), curve(mae)).splitlines()[2:] == ["| 1 | 0.250 | 0.500 | 0.375 | 0.625 |"]
