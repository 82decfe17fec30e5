"""An annotation file with the folder of its pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anymask.dataset.annotated import AnnotatedPictures, open_annotations
from anymask.dataset.formats import CocoFile, LvisFile
from anymask.errors import DatasetError
from anymask.masks.rle import decode
from tests.evaluation.annotated_data import write_annotated


def test_a_file_with_frequencies_is_lvis(tmp_path: Path) -> None:
    coco, *_ = write_annotated(tmp_path / "a")
    lvis, *_ = write_annotated(tmp_path / "b", lvis=True)
    assert type(open_annotations(coco)) is CocoFile
    assert type(open_annotations(lvis)) is LvisFile


@pytest.mark.parametrize("lvis", [False, True])
def test_records_hold_the_picture_and_every_mask_that_is_no_crowd(tmp_path: Path, lvis: bool) -> None:
    annotations, folder, value = write_annotated(tmp_path, lvis=lvis)
    pictures = AnnotatedPictures(open_annotations(annotations), folder, "drawn")
    assert len(pictures) == 3
    for record, image in zip(pictures, value["images"], strict=True):
        assert record.name == pictures.name(image["id"])
        assert record.set_name == "drawn"
        assert "/" not in record.id
        assert record.pixels().shape[:2] == (image["height"], image["width"])
        masks = [one["_mask"] for one in value["annotations"] if one["image_id"] == image["id"] and not one["iscrowd"]]
        found = [labels == label for labels in record.label_maps() for label in np.unique(labels) if label]
        assert {mask.tobytes() for mask in found} == {mask.tobytes() for mask in masks if mask.any()}


def test_masks_survive_as_they_are(tmp_path: Path) -> None:
    annotations, folder, value = write_annotated(tmp_path)
    picture = AnnotatedPictures(open_annotations(annotations), folder, "drawn").file.picture(10)
    own = [one["_mask"] for one in value["annotations"] if one["image_id"] == 10]
    assert all(np.array_equal(decode(rle), mask) for rle, mask in zip(picture.masks.rles, own, strict=True))


def test_what_is_missing_is_named_with_what_to_do(tmp_path: Path) -> None:
    annotations, folder, _ = write_annotated(tmp_path)
    with pytest.raises(DatasetError, match="no folder"):
        AnnotatedPictures(open_annotations(annotations), tmp_path / "elsewhere", "drawn")
    (folder / "0.jpg").unlink()
    pictures = AnnotatedPictures(open_annotations(annotations), folder, "drawn")
    with pytest.raises(DatasetError, match=r"'0.jpg' of image 10 is not in .*; fetch it"):
        pictures.record(10)
    assert pictures.record(11).id == "1"


def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    annotations, folder, _ = write_annotated(tmp_path)
    annotations.write_text(annotations.read_text().replace("0.jpg", "../truth.json"))
    with pytest.raises(DatasetError, match="image 10"):
        AnnotatedPictures(open_annotations(annotations), folder, "drawn").image_bytes(10)
