"""A detector's results, read in pieces."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from anymask.dataset.formats import coco_results
from anymask.dataset.formats.coco import OBJECT
from anymask.dataset.formats.coco_results import NOTHING, read_detections, stream_list
from anymask.errors import DatasetError
from anymask.masks import rle
from anymask.masks.boxes import mask_to_box
from tests.dataset.formats.ground_truth import coco_json, results_json


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "results.json"
    path.write_text(text)
    return path


@pytest.mark.parametrize("piece", [1, 2, 7, 64, 10_000])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_read_in_pieces_is_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int, indent: int | None
) -> None:
    monkeypatch.setattr(coco_results, "_PIECE", piece)
    values = [1, -2.5, "a ] b", {"x": [1, {"y": "é\\"}]}, [], None, True, 12345]
    assert list(stream_list(written(tmp_path, " " + json.dumps(values, indent=indent) + "\n"))) == values
    assert list(stream_list(written(tmp_path, "[]"))) == []


@pytest.mark.parametrize("text", ["", "{}", "[1", "[1,", "[1 2]", '[{"a": 1', "nothing", "[1,]"])
def test_a_file_that_is_no_list_or_cut_off_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DatasetError, match=r"no COCO results file"):
        list(stream_list(written(tmp_path, text)))


def test_results_are_grouped_by_picture_in_their_order(tmp_path: Path) -> None:
    results = results_json(coco_json(3), 3)
    found = read_detections(written(tmp_path, json.dumps(results)))
    assert sum(map(len, found.values())) == len(results)
    for image, detections in found.items():
        own = [one for one in results if one["image_id"] == image]
        assert detections.scores.tolist() == [one["score"] for one in own]
        assert detections.categories.tolist() == [one["category_id"] for one in own]
        for index, one in enumerate(own):
            mask = rle.decode(rle.from_json(one["segmentation"]))
            assert detections.rles[index] == rle.encode(mask)
            if mask.any():
                np.testing.assert_array_equal(detections.boxes_xyxy[index], mask_to_box(mask))


def test_a_box_alone_and_a_mask_alone_are_enough(tmp_path: Path) -> None:
    mask = np.zeros((6, 8), np.bool_)
    mask[2:4, 3:7] = True
    results = [
        {"image_id": "cup", "score": 0.5, "bbox": [1, 2, 3.5, 4]},
        {"image_id": "cup", "score": 0.4, "segmentation": rle.to_json(rle.encode(mask))},
    ]
    (found,) = read_detections(written(tmp_path, json.dumps(results))).values()
    assert found.boxes_xyxy.tolist() == [[1, 2, 4.5, 6], [3, 2, 7, 4]]
    assert found.rles == (None, rle.encode(mask))
    assert found.categories.tolist() == [OBJECT, OBJECT]
    assert found.take(np.array([1])).scores.tolist() == [0.4]
    assert len(NOTHING) == 0


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (3, "expected an object"),
        ({"score": 1, "bbox": [0, 0, 1, 1]}, "image_id"),
        ({"image_id": 1, "bbox": [0, 0, 1, 1]}, "score"),
        ({"image_id": 1, "score": 1, "bbox": [0, 0, -1, 1]}, "negative side"),
        ({"image_id": 1, "score": 1, "bbox": [0, 0, 1]}, "4 numbers"),
        ({"image_id": 1, "score": 1}, "neither a bbox nor a segmentation"),
        ({"image_id": 1, "score": 1, "category_id": "cup", "bbox": [0, 0, 1, 1]}, "category_id"),
        ({"image_id": 1, "score": 1, "segmentation": {"size": [2, 2], "counts": "9"}}, "result 0"),
    ],
)
def test_a_malformed_result_is_named(tmp_path: Path, item: object, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_detections(written(tmp_path, json.dumps([item])))


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        read_detections(tmp_path / "none.json")
