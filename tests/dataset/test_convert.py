"""Round trips between the forms: masks come back pixel by pixel."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anymask.dataset.check import check_dataset
from anymask.dataset.convert import write_coco, write_label_maps
from anymask.dataset.formats import from_coco, from_sa1b, to_coco, to_lvis, to_sa1b
from anymask.dataset.formats.coco import CocoPicture
from anymask.dataset.formats.lvis import LvisFile
from anymask.dataset.formats.png import decode_labels, encode_labels
from anymask.dataset.index import RecordIndex
from anymask.dataset.sources import read_labelled
from anymask.dataset.write import write_dataset
from anymask.errors import DatasetError
from anymask.masks.rle import encode
from anymask.masks.sets import join_sets, set_from_label_map, set_from_rles, to_layers
from tests.dataset.drawn_pictures import drawn_picture, jpeg, random_masks


@pytest.mark.parametrize("count", [250, pytest.param(10_000, marks=pytest.mark.slow)])
def test_random_masks_go_through_every_form_and_come_back_the_same(count: int) -> None:
    """SA-1B -> JSON -> COCO -> JSON -> LVIS -> JSON -> SA-1B -> PNG label maps, in pictures of 25 masks."""
    rng = np.random.default_rng(0)
    seen = 0
    while seen < count:
        size_hw = (int(rng.integers(1, 24)), int(rng.integers(1, 24)))
        rles = [encode(mask) for mask in random_masks(rng, 25, size_hw)]
        masks = set_from_rles(rles, size_hw, predicted_iou=rng.random(25), stability=rng.random(25))
        one = from_sa1b(json.loads(json.dumps(to_sa1b(masks, 1, "sa_1.jpg"))))
        picture = CocoPicture(image_id=1, file_name="sa_1.jpg", masks=one)
        two = from_coco(json.loads(json.dumps(to_coco([picture]))))[0]
        three = LvisFile(json.loads(json.dumps(to_lvis([two])))).picture(1)
        four = from_sa1b(json.loads(json.dumps(to_sa1b(three.masks, 1, "sa_1.jpg"))))
        assert four.rles == masks.rles
        np.testing.assert_array_equal(four.predicted_iou, masks.predicted_iou)
        np.testing.assert_array_equal(four.stability, masks.stability)
        layers = [decode_labels(encode_labels(layer)) for layer in to_layers(four)]
        back = join_sets([set_from_label_map(layer) for layer in layers], size_hw)
        assert Counter(back.rles) == Counter(rle for rle, area in zip(rles, masks.area_px, strict=True) if area)
        seen += 25


def test_a_dataset_goes_to_coco_and_back_with_scores_and_licences(tmp_path: Path) -> None:
    pictures = [drawn_picture(number) for number in (1, 2)]
    left_out: dict[str, str] = {}
    done = write_coco(tmp_path / "coco", pictures, left_out)
    assert (done.pictures, done.masks, left_out) == (2, 8, {})
    write_dataset(tmp_path / "back", read_labelled(tmp_path / "coco" / "coco.json"))
    for before, after in zip(pictures, read_labelled(tmp_path / "back"), strict=True):
        assert after.masks.rles == before.masks.rles
        np.testing.assert_array_equal(after.masks.predicted_iou, before.masks.predicted_iou)
        assert after.notes.licence == "CC0"


def test_lvis_keeps_classes_and_counts_them(tmp_path: Path) -> None:
    pictures = [drawn_picture(1, categories=("cup", "cat", "cup", "dog")), drawn_picture(2, categories=("cup",) * 4)]
    write_coco(tmp_path, pictures, {}, as_lvis=True)
    value = json.loads((tmp_path / "lvis.json").read_bytes())
    counts = {
        item["name"]: (item["image_count"], item["instance_count"], item["frequency"]) for item in value["categories"]
    }
    assert counts == {"cup": (2, 6, "r"), "cat": (1, 1, "r"), "dog": (1, 1, "r")}
    read = list(read_labelled(tmp_path / "lvis.json"))
    assert [picture.categories for picture in read] == [picture.categories for picture in pictures]
    assert [picture.masks.rles for picture in read] == [picture.masks.rles for picture in pictures]


def test_label_maps_are_read_as_training_data(tmp_path: Path) -> None:
    pictures = [drawn_picture(number, masks=3) for number in (1, 2)]
    write_label_maps(tmp_path / "labels", pictures, {})
    records = RecordIndex([tmp_path / "labels"])
    assert [record.name for record in records] == ["sa1b/sa_1", "sa1b/sa_2"]
    for record, picture in zip(records, pictures, strict=True):
        assert Counter(record.masks().rles) == Counter(picture.masks.rles)
    assert check_dataset(tmp_path / "labels").is_sound


def test_damaged_pictures_and_names_that_meet_are_left_out(tmp_path: Path) -> None:
    bad = replace(drawn_picture(2), read_image=lambda: jpeg((20, 30))[:-30])
    twin = replace(drawn_picture(3), name="other/sa_1.png")
    for write in (write_coco, write_label_maps):
        left_out: dict[str, str] = {}
        assert write(tmp_path / write.__name__, [drawn_picture(1), bad, twin], left_out).pictures == 1
        assert set(left_out) == {"sa1b/sa_2", "other/sa_1.png"}


def test_names_cannot_leave_the_folder(tmp_path: Path) -> None:
    odd = replace(drawn_picture(1), name="..\\..\\/<b>../x y.jpg")
    write_label_maps(tmp_path / "out", [odd], {})
    assert {path.suffix for path in (tmp_path / "out").rglob("*") if path.is_file()} == {".jpg", ".png"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_pictures_with_and_without_classes_do_not_mix(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="convert them apart"):
        write_coco(tmp_path, [drawn_picture(1, categories=("cup",) * 4), drawn_picture(2)], {})
