"""A detector learns what a picture holds, goes on after a kill, and says how good it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from anymask.errors import EmbeddingMismatchError, RunError
from anymask.figures.pictures import Pixels
from anymask.images.load import load_image
from anymask.masks.boxes import iou_matrix
from anymask.model.object_detector import ObjectDetector
from anymask.model.sam import Sam
from anymask.model.weights import model_hash
from anymask.predict.object_boxes import find_boxes
from anymask.predict.predictor import Predictor
from anymask.training.detector import DetectorConfig, read_report, train_detector
from anymask.training.loop import Hooks, Progress
from anymask.training.schedule import OptimizerConfig
from tests.model.test_sam import small_vit
from tests.training.drawn import drawn_record, small_model

OPTIMIZER = OptimizerConfig(lr=1e-2, kind="cosine", warmup_steps=5, clip_norm=10.0)
RECORDS = [drawn_record(str(number), number) for number in range(3)]


def config(**changes: Any) -> DetectorConfig:
    fields: dict[str, Any] = {"steps": 4, "pictures": 2, "width": 16, "depth": 1, "optimizer": OPTIMIZER, "flip": False}
    return DetectorConfig(**(fields | {"checkpoint_every": 2, "unlabelled_weight": 1.0} | changes))


@pytest.fixture(params=["tiny", "vit"])
def model(request: pytest.FixtureRequest) -> Sam:
    torch.manual_seed(0)
    return Sam(small_model() if request.param == "tiny" else small_vit()).eval()


@pytest.fixture
def tiny() -> Sam:
    torch.manual_seed(0)
    return Sam(small_model()).eval()


def test_it_learns_one_picture_by_heart_and_finds_its_objects_at_their_place(model: Sam, tmp_path: Path) -> None:
    record = drawn_record("one", 5)
    asked = config(steps=150, pictures=1, checkpoint_every=1000)
    report = train_detector(model, [record], asked, tmp_path / "run", held=[record])
    assert report.recall == 1.0
    assert report.precision >= 0.75
    assert (report.pictures, report.held_pictures, report.held_objects) == (1, 1, 3)
    detector = ObjectDetector.load(report.path)
    assert (detector.sha256(), detector.model_sha256) == (report.detector_sha256, model_hash(model))
    found = find_boxes(detector, Predictor(model).embed(record.image_bytes), report.confidence)
    overlap = iou_matrix(record.masks().boxes_xyxy, found.boxes_xyxy).max(axis=1)
    assert (overlap > 0.7).all()


def test_a_killed_run_goes_on_to_the_same_bits(tiny: Sam, tmp_path: Path) -> None:
    whole = train_detector(tiny, RECORDS, config(flip=True), tmp_path / "whole", held=RECORDS[:1])
    seen: list[int] = []

    def progress(now: Progress) -> None:
        seen.append(now.step)
        if seen == [1, 2, 3]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_detector(
            tiny, RECORDS, config(flip=True), tmp_path / "cut", held=RECORDS[:1], hooks=Hooks(progress=progress)
        )
    again = train_detector(
        tiny, RECORDS, config(flip=True), tmp_path / "cut", held=RECORDS[:1], hooks=Hooks(progress=progress)
    )
    assert seen == [1, 2, 3, 3, 4]
    assert again.detector_sha256 == whole.detector_sha256
    assert again.curve == whole.curve


def test_a_stopped_run_says_so_and_goes_on(tiny: Sam, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="stopped at step 1; call again"):
        train_detector(
            tiny, RECORDS, config(), tmp_path / "run", held=RECORDS[:1], hooks=Hooks(should_stop=lambda: True)
        )
    assert train_detector(tiny, RECORDS, config(), tmp_path / "run", held=RECORDS[:1]).pictures == 3


def test_a_finished_run_answers_at_once_and_keeps_its_files(tiny: Sam, tmp_path: Path) -> None:
    report = train_detector(tiny, RECORDS, config(), tmp_path / "run", held=RECORDS[:1])
    told: list[int] = []
    again = train_detector(
        tiny, RECORDS, config(), tmp_path / "run", held=RECORDS[:1], on_embedded=lambda done, _: told.append(done)
    )
    assert again == report == read_report(tmp_path / "run")
    assert told == []
    plain = json.loads((tmp_path / "run" / "detector.json").read_bytes())
    assert (plain["recall"], plain["precision"]) == (report.recall, report.precision)
    curve: Pixels = load_image(tmp_path / "run" / "detector.png").pixels
    assert np.unique(curve).size > 2


def test_another_model_or_other_labels_need_a_run_of_their_own(tiny: Sam, tmp_path: Path) -> None:
    train_detector(tiny, RECORDS, config(), tmp_path / "run", held=RECORDS[:1])
    with pytest.raises(RunError, match="another configuration"):
        train_detector(tiny, RECORDS[:2], config(), tmp_path / "run", held=RECORDS[:1])
    torch.manual_seed(1)
    other = Sam(small_model()).eval()
    with pytest.raises(RunError, match="another configuration"):
        train_detector(other, RECORDS, config(), tmp_path / "run", held=RECORDS[:1])
    detector = ObjectDetector.load(tmp_path / "run" / "detector.safetensors")
    with pytest.raises(EmbeddingMismatchError):
        find_boxes(detector, Predictor(other).embed(RECORDS[0].image_bytes), 0.5)


def test_a_folder_without_a_finished_run_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no finished detector"):
        read_report(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"width": 24},
        {"depth": 2},
        {"radius": 0.6},
        {"box_weight": 1.0},
        {"unlabelled_weight": 0.5},
        {"min_area_px": 400},
        {"max_fraction": 0.06},
        {"flip": True},
        {"seed": 1},
        {"precision": "bfloat16"},
        {"pictures": 1},
        {"steps": 3},
        {"optimizer": OptimizerConfig(lr=1e-3)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_changes_what_is_learned(tiny: Sam, tmp_path: Path, change: dict[str, Any]) -> None:
    records = [*RECORDS[:2], drawn_record("small", 7, size=100)]
    usual = train_detector(tiny, records, config(), tmp_path / "usual", held=records, cache=tmp_path / "cache")
    other = train_detector(tiny, records, config(**change), tmp_path / "other", held=records, cache=tmp_path / "cache")
    assert other.detector_sha256 != usual.detector_sha256


def test_without_pictures_to_measure_on_a_share_is_kept_out(tiny: Sam, tmp_path: Path) -> None:
    records = [drawn_record(str(number), number) for number in range(10)]
    report = train_detector(tiny, records, config(held_share=0.5), tmp_path / "run")
    assert report.pictures + report.held_pictures == 10
    assert report.held_pictures >= 2
