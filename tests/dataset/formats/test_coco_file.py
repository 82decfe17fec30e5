"""A COCO file of ground truth, read picture by picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from anymask.dataset.annotated import open_annotations
from anymask.dataset.formats import CocoFile, from_coco
from anymask.errors import DatasetError, MaskError
from tests.dataset.formats.ground_truth import SIZE_HW, coco_json, without_masks


def written(tmp_path: Path, value: object) -> Path:
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(value))
    return path


def test_pictures_one_by_one_are_those_of_the_whole_file(tmp_path: Path) -> None:
    value = without_masks(coco_json(4))
    file = open_annotations(written(tmp_path, value))
    assert len(file) == 6
    for one, all_at_once in zip(file, from_coco(value), strict=True):
        assert one.masks.rles == all_at_once.masks.rles
        assert one.category_ids == all_at_once.category_ids
        assert one.is_crowd == all_at_once.is_crowd
        assert file.annotation_count(one.image_id) == len(one.masks)
        assert file.size_hw(one.image_id) == SIZE_HW


def test_ids_and_stated_areas_are_kept_as_the_file_has_them() -> None:
    value = coco_json(4)
    file = CocoFile(without_masks(value))
    read = [(key, area) for one in file for key, area in zip(one.annotation_ids, one.stated_area_px, strict=True)]
    assert read == [(one["id"], one["area"]) for one in value["annotations"]]


def test_licences_that_are_no_list_are_refused() -> None:
    with pytest.raises(MaskError, match='"licenses" must be a list, got 5'):
        CocoFile(without_masks(coco_json(2)) | {"licenses": 5})
    assert CocoFile(without_masks(coco_json(2)) | {"licenses": None}).licences == {}


def test_a_missing_area_is_the_masks_own() -> None:
    value = without_masks(coco_json(4))
    for one in value["annotations"]:
        del one["area"]
    for picture in CocoFile(value):
        np.testing.assert_array_equal(picture.stated_area_px, picture.masks.area_px)


def test_a_damaged_mask_is_told_when_its_picture_is_read_and_not_before() -> None:
    value = without_masks(coco_json(4))
    damaged = value["annotations"][0]
    damaged["segmentation"] = {"size": list(SIZE_HW), "counts": "0"}
    file = CocoFile(value)
    with pytest.raises(MaskError, match=f"annotation {damaged['id']}"):
        file.picture(damaged["image_id"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be used"),
        ("[]", "must be an object"),
        ('{"images": [], "annotations": [{"image_id": 3}]}', "not in the file"),
        ('{"images": [{"id": "7"}], "annotations": []}', "no whole number"),
        ('{"images": [{}], "annotations": []}', "no whole number"),
    ],
)
def test_another_file_is_refused_with_its_reason(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(DatasetError, match=message):
        open_annotations(path)


def test_a_file_that_is_not_there_and_a_picture_that_is_not_in_it_are_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        open_annotations(tmp_path / "none.json")
    with pytest.raises(DatasetError, match="image 3 is not in the annotation file, which has 6 pictures"):
        CocoFile(without_masks(coco_json())).picture(3)
