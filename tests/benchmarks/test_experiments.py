"""The cost of the experiments: what is counted."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from anymask.dataset.labelled import read_data
from anymask.evaluation.pictures import RecordedPicture
from anymask.evaluation.targets import TargetConfig, choose_targets
from anymask.model.weights import load
from benchmarks.experiments import measure, plot
from tests.evaluation.small_data import write_small_sets


def test_every_prompt_is_counted_and_asked_bare_too(small_model: Path, data_dir: Path, tmp_path: Path) -> None:
    folder = write_small_sets(tmp_path, [data_dir / "val-food_plates.tar"], 2)
    pictures = [RecordedPicture(record) for record in islice(read_data([folder]), 2)]
    costs = {one.experiment: one for one in measure(load(small_model), pictures, 4)}
    targets = sum(len(choose_targets(one.record, TargetConfig())) for one in pictures) / 2
    objects = sum(len(one.truth().rles) for one in pictures) / 2
    assert costs["points"].prompts == targets * (9 + 2)  # nine clicks, a box for one mask and for three
    assert costs["instances"].prompts == objects * 2  # each box twice
    assert costs["proposals"].prompts == 16
    assert costs["edges"].prompts == 256
    assert list(costs) == ["points", "edges", "instances", "proposals"]
    for one in costs.values():
        assert min(one.network_s, one.bare_s, one.masks_s, one.scoring_s) > 0
    plot(list(costs.values()), tmp_path / "times.png")
    assert (tmp_path / "times.png").read_bytes().startswith(b"\x89PNG")
