"""Pictures with ground truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anymask.dataset.formats.lvis import Federation
from anymask.errors import DatasetError
from anymask.evaluation.pictures import AnnotationFile, RecordedPictures, draw, truth_hash
from anymask.masks.rle import decode
from tests.evaluation.annotated_data import write_annotated
from tests.evaluation.small_data import write_small_sets


def test_an_annotation_file_gives_its_pictures_by_id_with_truth_and_federation(tmp_path: Path) -> None:
    annotations, folder, value = write_annotated(tmp_path, lvis=True)
    pictures = AnnotationFile(annotations, folder)
    assert pictures.categories[1] == "thing 1"
    assert set(pictures.frequencies.values()) == {"r", "c", "f"}
    names = pictures.names()
    assert names == [f"truth/val2017_{key:012d}" for key in (10, 11, 12)]
    (second,) = pictures.take({names[1]})
    assert second.keys == (11,)
    truth = second.truth()
    assert truth.area_px.tolist() == [one["area"] for one in value["annotations"] if one["image_id"] == 11]
    assert truth.federation is not None
    assert truth.federation.absent == set(value["images"][1]["neg_category_ids"])
    assert second.image_bytes().startswith(b"\x89PNG")


def test_crowds_of_coco_are_known(tmp_path: Path) -> None:
    annotations, folder, value = write_annotated(tmp_path, seed=4, pictures=6)
    pictures = AnnotationFile(annotations, folder)
    crowds = [bool(flag) for one in pictures.take(set(pictures.names())) for flag in one.truth().is_crowd]
    assert crowds == [bool(one["iscrowd"]) for one in value["annotations"]]
    assert any(crowds)


def test_label_maps_give_a_mask_for_every_label_of_every_map(data_dir: Path, tmp_path: Path) -> None:
    folder = write_small_sets(tmp_path, [data_dir / "val-food_plates.tar"], 2)
    pictures = RecordedPictures([folder])
    for picture in pictures.take(set(pictures.names())):
        truth = picture.truth()
        maps = picture.record.label_maps()
        assert len(truth.rles) == sum(len(np.unique(labels[labels > 0])) for labels in maps)
        assert truth.area_px.tolist() == [decode(rle).sum() for rle in truth.rles]
        assert picture.keys == (picture.name, picture.name.split("/")[1])
    with pytest.raises(DatasetError, match="comes twice"):
        RecordedPictures([folder, folder]).names()


def test_fewer_pictures_of_a_set_are_among_more() -> None:
    names = [f"{name}/{index}" for name in "ab" for index in range(20)]
    few, more = draw(names, 3), draw(names, 7)
    assert few < more < draw(names, None) == set(names)
    assert sum(name.startswith("a/") for name in few) == 3


def test_the_hash_changes_with_whatever_is_annotated(tmp_path: Path) -> None:
    annotations, folder, _ = write_annotated(tmp_path, seed=4)
    pictures = AnnotationFile(annotations, folder)
    truth = max((one.truth() for one in pictures.take(set(pictures.names()))), key=lambda one: len(one.rles))
    others = [
        replace(truth, area_px=truth.area_px + 1),
        replace(truth, categories=truth.categories + 1),
        replace(truth, is_crowd=~truth.is_crowd),
        replace(truth, federation=Federation(absent=frozenset({1}), not_exhaustive=frozenset())),
        replace(truth, federation=Federation(absent=frozenset(), not_exhaustive=frozenset({1}))),
        truth.take(np.arange(1, len(truth.rles))),
    ]
    hashes = {truth_hash(b"picture", one) for one in (truth, *others)} | {truth_hash(b"other", truth)}
    assert len(hashes) == len(others) + 2
