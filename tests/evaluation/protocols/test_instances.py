"""The instances experiment: boxes of a detector and of the ground truth, on drawn files and real label maps."""

from __future__ import annotations

import contextlib
import copy
import io
import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from anymask.evaluation.answering import PictureScore
from anymask.evaluation.file_answers import FileAnswers
from anymask.evaluation.metrics import BootstrapConfig
from anymask.evaluation.pictures import AnnotationFile, RecordedPictures
from anymask.evaluation.protocols.instances import InstancesConfig, ModelInstances, measures, numbers, run, scores
from anymask.images.load import load_image
from anymask.masks import rle
from anymask.masks.boxes import rles_to_boxes
from anymask.model.weights import load
from anymask.predict.predictor import Predictor
from anymask.predict.tasks.instances import InstanceConfig, segment_boxes
from tests.evaluation.annotated_data import write_annotated, write_results
from tests.evaluation.protocols.test_proposals import label_map_json
from tests.evaluation.small_data import write_small_sets

QUICK = InstancesConfig(bootstrap=BootstrapConfig(resamples=20))


def pycocotools_precision(truth_json: dict[str, object], results: list[dict[str, object]]) -> list[float]:
    """AP, AP50, AP75, small, medium, large; NaN where there is none."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = copy.deepcopy(truth_json)
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(copy.deepcopy(results)), "segm")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return [float(value) if value > -1 else float("nan") for value in run.stats[:6]]


@pytest.mark.slow
@pytest.mark.parametrize("from_file", [True, False])
def test_a_models_precision_is_that_of_pycocotools(tmp_path: Path, from_file: bool) -> None:
    annotations, folder, value = write_annotated(tmp_path, seed=4, pictures=5)
    pictures = AnnotationFile(annotations, folder)
    boxes = FileAnswers(write_results(tmp_path / "r.json", value)) if from_file else None
    predictor = Predictor(load("tiny"))
    answered = run(QUICK, pictures, [ModelInstances(predictor, "tiny", InstanceConfig(), boxes, 0.1)])
    results = []
    for picture in pictures.take(set(pictures.names())):
        predictor.set_image(picture.image_bytes())
        truth = picture.truth()
        if boxes is None:
            truth = truth.take(~truth.is_crowd)
            given, categories = rles_to_boxes(truth.rles), truth.categories
        else:
            detections = boxes.detections(picture)
            sure = detections.scores >= 0.1
            given, categories = detections.boxes_xyxy[sure], detections.categories[sure]
        masks = segment_boxes(predictor, given)
        values = masks.predicted_iou if boxes is None else detections.scores[sure]
        for one, category, score in zip(masks.rles, categories, values, strict=True):
            results.append(
                {
                    "image_id": picture.image_id,
                    "category_id": int(category),
                    "score": float(score),
                    "segmentation": rle.to_json(one),
                }
            )
    expected = pycocotools_precision(json.loads(annotations.read_text()), results)
    ours = numbers({}, answered.columns["tiny"])
    assert ours == pytest.approx(expected, abs=1e-6, nan_ok=True)
    assert expected[0] > 0


def test_ground_truth_boxes_on_real_label_maps(data_dir: Path, small_model: Path, tmp_path: Path) -> None:
    shards = [data_dir / "val-food_plates.tar", data_dir / "val-davis16_val.tar"]
    pictures = RecordedPictures([write_small_sets(tmp_path, shards, 2)])
    predictor = Predictor(load(small_model))
    answered = run(QUICK, pictures, [ModelInstances(predictor, "small")])
    results = []
    for number, picture in enumerate(pictures.take(set(pictures.names()))):
        predictor.set_image(picture.image_bytes())
        masks = segment_boxes(predictor, rles_to_boxes(picture.truth().rles))
        results += [
            {"image_id": number, "category_id": 1, "score": float(score), "segmentation": rle.to_json(one)}
            for one, score in zip(masks.rles, masks.predicted_iou, strict=True)
        ]
    expected = pycocotools_precision(label_map_json(pictures), results)
    assert numbers({}, answered.columns["small"]) == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_lvis_has_precision_by_frequency_and_every_score_its_interval(tmp_path: Path) -> None:
    annotations, folder, value = write_annotated(tmp_path, lvis=True, seed=3, pictures=5)
    pictures = AnnotationFile(annotations, folder)
    detector = FileAnswers(write_results(tmp_path / "r.json", value), "detector")
    answered = run(QUICK, pictures, [detector])
    found = {one.measure: one.value for one in scores(QUICK, pictures.frequencies, answered.columns)}
    assert list(found) == [*measures(pictures.frequencies), "mean IoU"]
    assert {"AP rare", "AP common", "AP frequent"} <= set(found)
    assert found["AP"].low <= found["AP"].mean <= found["AP"].high
    by_group = [found[f"AP {name}"].mean for name in ("rare", "common", "frequent")]
    assert min(by_group) <= found["AP"].mean <= max(by_group)


def test_boxes_beside_the_picture_are_not_asked_for(small_model: Path, tmp_path: Path) -> None:
    annotations, folder, _ = write_annotated(tmp_path, seed=4, pictures=1)
    boxes = [
        {"image_id": 10, "category_id": 1, "score": 0.9, "bbox": box} for box in ([500, 500, 9, 9], [-5, -5, 30, 30])
    ]
    (tmp_path / "r.json").write_text(json.dumps(boxes))
    (picture,) = AnnotationFile(annotations, folder).take({"truth/0"})
    column = ModelInstances(Predictor(load(small_model)), "small", boxes=FileAnswers(tmp_path / "r.json"))
    answers = column.answer(picture, load_image(picture.image_bytes()), picture.truth())
    assert answers.scores.tolist() == [0.9]


def test_columns_differ_by_where_their_boxes_come_from(small_model: Path, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("[]")
    predictor, boxes = Predictor(load(small_model)), FileAnswers(tmp_path / "r.json")
    columns = [
        ModelInstances(predictor, "a"),
        ModelInstances(predictor, "a", boxes=boxes),
        ModelInstances(predictor, "a", boxes=boxes, min_score=0.5),
        ModelInstances(predictor, "a", InstanceConfig(refine=False)),
    ]
    assert len({column.fingerprint for column in columns}) == 4


def test_scores_of_no_annotated_mask_are_none(tmp_path: Path) -> None:
    annotations, folder, _ = write_annotated(tmp_path, seed=4, pictures=2)
    value = json.loads(annotations.read_text())
    annotations.write_text(json.dumps({**value, "annotations": []}))
    (tmp_path / "r.json").write_text("[]")
    answered = run(QUICK, AnnotationFile(annotations, folder), [FileAnswers(tmp_path / "r.json", "a")])
    rows: tuple[PictureScore, ...] = answered.columns["a"]
    assert all(np.isnan(value) for value in numbers({}, rows))
    assert all(np.isnan(one.value.mean) for one in scores(QUICK, {}, answered.columns))
