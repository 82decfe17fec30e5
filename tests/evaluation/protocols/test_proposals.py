"""The proposals experiment: its numbers are the reference's, whatever made the proposals."""

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

from anymask.errors import ConfigError
from anymask.evaluation.file_answers import FileAnswers
from anymask.evaluation.metrics import BootstrapConfig
from anymask.evaluation.pictures import AnnotationFile, LabelledPictures, RecordedPictures
from anymask.evaluation.protocols.proposals import ModelProposer, ProposalsConfig, measures, run, scores
from anymask.masks import rle
from anymask.model.weights import load
from anymask.predict.predictor import Predictor
from anymask.predict.tasks.proposals import ProposalConfig, propose
from tests.evaluation.annotated_data import write_annotated, write_results
from tests.evaluation.small_data import write_small_sets

QUICK = ProposalsConfig(bootstrap=BootstrapConfig(resamples=50))


def pycocotools_recall(truth_json: dict[str, object], results: list[dict[str, object]]) -> dict[str, float]:
    """AR@10, 100, 1000 and by size, categories not looked at."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = copy.deepcopy(truth_json)
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(copy.deepcopy(results)), "segm")
        run.params.maxDets, run.params.useCats = [10, 100, 1000], 0
        run.evaluate()
        run.accumulate()
    recall = run.eval["recall"]  # (T, K, A, M)
    names = ("", " small", " medium", " large")
    found = {f"AR@{limit}": recall[:, 0, 0, index].mean() for index, limit in enumerate((10, 100, 1000))}
    return found | {f"AR@1000{name}": recall[:, 0, area, 2].mean() for area, name in enumerate(names)}


def label_map_json(pictures: LabelledPictures) -> dict[str, object]:
    """Label maps as a COCO file of one category."""
    images, annotations = [], []
    for number, picture in enumerate(pictures.take(set(pictures.names()))):
        truth = picture.truth()
        height, width = truth.rles[0].size_hw
        images.append({"id": number, "height": height, "width": width, "file_name": picture.name})
        for one in truth.rles:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "segmentation": rle.to_json(one),
                    "area": rle.area(one),
                    "bbox": [0, 0, 1, 1],
                    "iscrowd": 0,
                }
            )
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "object"}]}


@pytest.mark.slow
def test_a_models_recall_on_real_annotations_is_that_of_pycocotools(data_dir: Path, tmp_path: Path) -> None:
    shards = [data_dir / "val-food_plates.tar", data_dir / "val-coco_mini.tar"]
    pictures = RecordedPictures([write_small_sets(tmp_path, shards, 2)])
    pipeline = ProposalConfig(points_per_side=8)
    predictor = Predictor(load("tiny"))
    answered = run(QUICK, pictures, [ModelProposer(predictor, "tiny", pipeline)])
    results = []
    for number, picture in enumerate(pictures.take(set(pictures.names()))):
        found = propose(predictor, picture.image_bytes(), pipeline)
        results += [
            {"image_id": number, "category_id": 1, "score": float(score), "segmentation": rle.to_json(one)}
            for one, score in zip(found.masks.rles, found.scores, strict=True)
        ]
    expected = pycocotools_recall(label_map_json(pictures), results)
    ours = {one.measure: one.value.mean for one in scores(QUICK, {}, answered.columns)}
    assert len(results) > 50
    for measure, value in expected.items():
        assert ours[measure] == pytest.approx(value if value >= 0 else np.nan, abs=1e-6, nan_ok=True)
    assert expected["AR@1000"] > 0


def test_recall_by_frequency_is_in_the_table_of_lvis_and_a_detector_beside_the_model(
    small_model: Path, tmp_path: Path
) -> None:
    annotations, folder, value = write_annotated(tmp_path, lvis=True, seed=3, pictures=5)
    pictures = AnnotationFile(annotations, folder)
    detector = FileAnswers(write_results(tmp_path / "r.json", value), "detector")
    model = ModelProposer(Predictor(load(small_model)), "small", ProposalConfig(points_per_side=3))
    answered = run(QUICK, pictures, [model, detector])
    found = {(one.column, one.measure): one.value for one in scores(QUICK, pictures.frequencies, answered.columns)}
    names = measures(QUICK, pictures.frequencies)
    assert [name for name in names if name.split()[-1] in ("frequent", "common", "rare")] == [
        "AR@1000 frequent",
        "AR@1000 common",
        "AR@1000 rare",
    ]
    assert {column for column, _ in found} == {"small", "detector"}
    results = json.loads((tmp_path / "r.json").read_text())
    for one in results:
        one.pop("bbox")
    for frequency, name in (("f", "frequent"), ("c", "common"), ("r", "rare")):
        plain = json.loads(annotations.read_text())
        own = {key for key, often in pictures.frequencies.items() if often == frequency}
        plain["annotations"] = [one for one in plain["annotations"] if one["category_id"] in own]
        expected = pycocotools_recall(plain, results)["AR@1000"]
        assert found["detector", f"AR@1000 {name}"].mean == pytest.approx(expected, abs=1e-6)
    interval = found["detector", "AR@1000"]
    assert interval.low <= interval.mean <= interval.high


def test_rows_hold_only_what_found_something(tmp_path: Path) -> None:
    annotations, folder, value = write_annotated(tmp_path, seed=4)
    detector = FileAnswers(write_results(tmp_path / "r.json", value), "detector")
    for score in run(QUICK, AnnotationFile(annotations, folder), [detector]).columns["detector"]:
        assert score.matches.hits.any(axis=(0, 1)).all()
        assert len(score.matches.scores) <= score.answers


def test_another_pipeline_is_another_column(small_model: Path) -> None:
    predictor = Predictor(load(small_model))
    prints = {ModelProposer(predictor, "a", ProposalConfig(points_per_side=side)).fingerprint for side in (3, 4)}
    assert len(prints) == 2


def test_limits_must_rise() -> None:
    for limits in ((), (0,), (10, 10), (100, 10)):
        with pytest.raises(ConfigError, match="must rise"):
            ProposalsConfig(limits=limits)
