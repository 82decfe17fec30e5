"""The score in training."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch

from anymask.dataset import read_shards
from anymask.evaluation.protocols.points import PointsConfig, run
from anymask.evaluation.quick import quick_score
from anymask.evaluation.results import samples
from anymask.evaluation.segmenter import ModelSegmenter
from anymask.model.sam import Sam, tiny_config
from anymask.predict.predictor import Predictor


@pytest.fixture(scope="module")
def model() -> Sam:
    torch.manual_seed(0)
    return Sam(tiny_config(dim=32, input_size=128)).eval()


def test_the_quick_score_is_that_of_the_whole_protocol(model: Sam, data_dir: Path, tmp_path: Path) -> None:
    records = list(islice(read_shards([data_dir / "val-food_plates.tar"]), 3))
    (tmp_path / "food_plates").mkdir()
    for record in records:
        (tmp_path / f"{record.name}.webp").write_bytes(record.image_bytes)
        for number, data in enumerate(record.maps_bytes):
            (tmp_path / f"{record.name}__{number}.png").write_bytes(data)
    quick = quick_score(model, records)
    whole = run(PointsConfig(clicks=(1, 2)), [tmp_path], [ModelSegmenter(Predictor(model))]).columns["model"]
    for measure in ("click", "click_oracle", "box", "box_confident", "box_oracle"):
        expected = samples(whole, measure)["food_plates"].values.mean()
        assert quick[measure] == quick[f"{measure}/food_plates"] == pytest.approx(expected)
    assert quick_score(model, records, max_pictures=2) == quick_score(model, records[:2])


def test_the_mean_is_over_sets_and_not_over_pictures(model: Sam, data_dir: Path) -> None:
    one = list(islice(read_shards([data_dir / "val-food_plates.tar"]), 1))
    two = list(islice(read_shards([data_dir / "val-coco_mini.tar"]), 2))
    scores = quick_score(model, one + two)
    assert scores["box"] == pytest.approx((scores["box/food_plates"] + scores["box/coco_mini"]) / 2)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_keeps_its_mode_and_its_weights(model: Sam, data_dir: Path, training: bool) -> None:
    model.train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    quick_score(model, read_shards([data_dir / "val-food_plates.tar"]), 1)
    assert model.training is training
    model.eval()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_nothing_to_score_gives_no_score(model: Sam) -> None:
    assert quick_score(model, []) == {}
