"""LVIS's ground truth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anymask.dataset.annotated import open_annotations
from anymask.dataset.formats import LvisFile
from anymask.errors import DatasetError, MaskError
from tests.dataset.formats.ground_truth import lvis_json, without_masks


def test_frequencies_and_what_was_looked_for_are_read(tmp_path: Path) -> None:
    value = without_masks(lvis_json(3))
    path = tmp_path / "lvis.json"
    path.write_text(json.dumps(value))
    file = open_annotations(path)
    assert isinstance(file, LvisFile)
    assert file.frequencies == {category["id"]: category["frequency"] for category in value["categories"]}
    assert set(file.frequencies.values()) == {"r", "c", "f"}
    for image in value["images"]:
        found = file.federation(image["id"])
        assert found.absent == set(image["neg_category_ids"])
        assert found.not_exhaustive == set(image["not_exhaustive_category_ids"])
        annotated = {one["category_id"] for one in value["annotations"] if one["image_id"] == image["id"]}
        assert set(file.picture(image["id"]).category_ids) == annotated


def test_the_file_of_a_picture_is_named_by_its_url_or_by_itself() -> None:
    value = without_masks(lvis_json())
    value["images"][0]["file_name"] = "COCO_val2014_000000000010.jpg"
    value["images"][2]["coco_url"] = "nothing"
    file = LvisFile(value)
    first, second, third = file.image_ids[:3]
    assert file.picture(first).file_name == "COCO_val2014_000000000010.jpg"
    assert file.picture(second).file_name == "val2017/000000000011.jpg"
    with pytest.raises(MaskError, match="neither a file_name nor a coco_url"):
        file.picture(third)


def test_a_coco_file_is_no_lvis_file(tmp_path: Path) -> None:
    value = without_masks(lvis_json())
    del value["images"][0]["neg_category_ids"]
    with pytest.raises(MaskError, match="no LVIS file"):
        LvisFile(value).federation(value["images"][0]["id"])
    value["categories"][0]["frequency"] = "often"
    path = tmp_path / "a.json"
    path.write_text(json.dumps(value))
    with pytest.raises(DatasetError, match="'often', expected one of r, c, f"):
        open_annotations(path)
