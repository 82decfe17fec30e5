"""Scores computed by the COCO library and by faster-coco-eval are the same through our files as on the data itself."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import faster_coco_eval as compiled
import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from anymask.dataset.convert import write_coco
from anymask.dataset.formats import CocoFile, from_coco, to_coco
from anymask.dataset.labelled_picture import LabelledPicture
from anymask.dataset.sources import read_labelled
from anymask.dataset.write import write_dataset
from anymask.masks import rle
from tests.dataset.drawn_pictures import jpeg
from tests.dataset.formats.ground_truth import SIZE_HW, Json, coco_json, results_json, without_masks

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
LIBRARIES = {"pycocotools": (COCO, COCOeval), "faster-coco-eval": (compiled.COCO, compiled.COCOeval_faster)}


def scores(library: str, truth: Json, results: list[Json], *, use_cats: bool = True) -> list[float]:
    """The twelve AP and AR figures."""
    load, evaluate = LIBRARIES[library]
    with contextlib.redirect_stdout(io.StringIO()):
        ground: Any = load()
        ground.dataset = json.loads(json.dumps(truth))
        ground.createIndex()
        # Without boxes: with them, the reference code takes the box's area for the mask's.
        alone = [{key: value for key, value in one.items() if key != "bbox"} for one in results]
        run: Any = evaluate(ground, ground.loadRes(json.loads(json.dumps(alone))), "segm")
        run.params.useCats = int(use_cats)
        run.evaluate()
        run.accumulate()
        run.summarize()
    found: list[float] = np.asarray(run.stats[:12], np.float64).tolist()
    assert 0 < found[0] < 1
    return found


def with_own_areas(value: Json) -> Json:
    """The file with each mask's own area: what a form that measures areas can give back."""
    plain = without_masks(value)
    areas = [int(one["_mask"].sum()) for one in value["annotations"]]
    annotations = [one | {"area": area} for one, area in zip(plain["annotations"], areas, strict=True)]
    return plain | {"annotations": annotations}


def as_results(results: list[Json], truth: Json) -> list[Json]:
    """Results written as a COCO file by us, read back, and turned into results again."""
    value = {**truth, "annotations": [one | {"id": n, "iscrowd": 0} for n, one in enumerate(results, start=1)]}
    names = {item["id"]: item["name"] for item in truth["categories"]}
    written = json.loads(json.dumps(to_coco(from_coco(value), names)))
    keys = ("image_id", "category_id", "segmentation", "score")
    return [{key: one[key] for key in keys} for one in written["annotations"]]


@pytest.mark.parametrize("library", LIBRARIES)
def test_ap_and_ar_are_those_of_the_data_itself(library: str) -> None:
    value = coco_json(seed=5, pictures=20)
    truth, results = with_own_areas(value), results_json(value, seed=5)
    file = CocoFile(truth)
    ours = json.loads(json.dumps(to_coco(list(file), file.categories)))
    assert scores(library, ours, as_results(results, truth)) == pytest.approx(scores(library, truth, results), abs=1e-6)


@pytest.mark.parametrize("library", LIBRARIES)
def test_recall_without_classes_survives_sa1bs_shards(library: str, tmp_path: Path) -> None:
    value = coco_json(seed=6, pictures=12, categories=1, crowds=False)
    truth, results = with_own_areas(value), results_json(value, seed=6, categories=1)
    pictures = [
        LabelledPicture(name=f"sa_{one.image_id}", masks=one.masks, read_image=lambda: jpeg(SIZE_HW))
        for one in CocoFile(truth)
    ]
    write_dataset(tmp_path / "shards", pictures)
    write_coco(tmp_path / "coco", read_labelled(tmp_path / "shards"), {})
    ours = json.loads((tmp_path / "coco" / "coco.json").read_bytes())
    number = {int(Path(image["file_name"]).stem.removeprefix("sa_")): image["id"] for image in ours["images"]}
    moved = [one | {"image_id": number[one["image_id"]]} for one in results]
    assert scores(library, ours, moved, use_cats=False) == pytest.approx(
        scores(library, truth, results, use_cats=False), abs=1e-6
    )
    for one in ours["annotations"]:
        assert rle.area(rle.from_json(one["segmentation"])) == one["area"]
