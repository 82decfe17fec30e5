"""Every form that is read gives the same kind of picture, one at a time, and damaged ones are named."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anymask.dataset.sources import Source, find_form, read_labelled, record_entries
from anymask.errors import DatasetError
from anymask.masks import rle
from tests.dataset.drawn_pictures import jpeg
from tests.dataset.formats.ground_truth import coco_json, lvis_json
from tests.dataset.sa1b_files import sa1b_files, write_folder, write_tar


@pytest.fixture
def ade20k(tmp_path: Path) -> Path:
    """Two pictures, of which the second's masks are cut."""
    folder = tmp_path / "ade" / "street"
    folder.mkdir(parents=True)
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[2:6, 2:6] = (10, 5, 100)  # class 261, an instance
    pixels[8:12, 2:6] = (10, 5, 200)  # another of the same class
    pixels[2:6, 10:20] = (0, 7, 100)  # class 7
    for name in ("a", "b"):
        (folder / f"{name}.jpg").write_bytes(jpeg((20, 30)))
        Image.fromarray(pixels).save(folder / f"{name}_seg.png")
    (folder / "b_seg.png").write_bytes((folder / "b_seg.png").read_bytes()[:-20])
    return tmp_path / "ade"


@pytest.fixture
def open_images(tmp_path: Path) -> Path:
    """A table of three masks on two pictures."""
    folder = tmp_path / "oi"
    folder.mkdir()
    rows = [("m1.png", "p1", "/m/cup"), ("m2.png", "p1", "/m/cat"), ("m3.png", "p2", "/m/cup")]
    for index, (name, _, _) in enumerate(rows, start=1):
        mask = np.zeros((10, 12), bool)
        mask[:index, :index] = True
        Image.fromarray(mask).save(folder / name)
    with (folder / "masks.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["MaskPath", "ImageID", "LabelName"])
        writer.writerows(rows)
    return folder / "masks.csv"


def test_each_form_is_told_by_its_names(tmp_path: Path, ade20k: Path, open_images: Path) -> None:
    assert find_form(ade20k) is Source.ADE20K
    assert find_form(open_images) is Source.OPEN_IMAGES
    assert find_form(tmp_path / "instances.json") is Source.COCO
    assert find_form(tmp_path / "sa_1.tar") is find_form(open_images.parent) is Source.RECORDS


def test_ade20k_gives_an_instance_each_and_names_the_damaged(ade20k: Path) -> None:
    bad: dict[str, str] = {}
    pictures = list(read_labelled(ade20k, refuse=bad.__setitem__))
    assert [(picture.name, picture.masks.area_px.tolist()) for picture in pictures] == [("street/a", [40, 16, 16])]
    assert list(bad) == ["street/b"]
    assert pictures[0].image_bytes() == jpeg((20, 30))


def test_open_images_gives_a_row_each(open_images: Path) -> None:
    pictures = list(read_labelled(open_images))
    assert [(picture.name, picture.masks.area_px.tolist()) for picture in pictures] == [("p1", [1, 4]), ("p2", [9])]
    assert pictures[0].categories == ("/m/cup", "/m/cat")
    with pytest.raises(DatasetError, match="not at hand"):
        pictures[0].image_bytes()


def test_coco_and_lvis_give_their_pictures_with_classes_and_licences(tmp_path: Path) -> None:
    value = coco_json()
    value["licenses"] = [{"id": 4, "name": "CC BY 2.0"}]
    value["images"][0]["license"] = 4
    (tmp_path / "coco.json").write_text(json.dumps(value, default=np.ndarray.tolist))
    (tmp_path / "lvis.json").write_text(json.dumps(lvis_json(), default=np.ndarray.tolist))
    coco, lvis = (list(read_labelled(tmp_path / name)) for name in ("coco.json", "lvis.json"))
    assert len(coco) == len(lvis) == 6
    assert [picture.notes.licence for picture in coco[:2]] == ["CC BY 2.0", "not stated"]
    assert all(len(picture.categories) == len(picture.masks) for picture in coco + lvis)
    assert lvis[0].name == "val2017/000000000010.jpg"


def test_a_folder_of_shards_gives_all_in_order(tmp_path: Path) -> None:
    for number in (2, 1):
        write_tar(tmp_path / f"sa_00000{number}.tar", sa1b_files(number))
    (tmp_path / "dataset.json.bak").write_text("")
    assert [entry.name for entry in record_entries(tmp_path)] == ["sa1b/sa_1", "sa1b/sa_2"]
    assert len(next(iter(read_labelled(tmp_path))).masks) == 3


def test_one_damaged_picture_ends_the_reading_only_when_nobody_listens(tmp_path: Path) -> None:
    files = sa1b_files(1) | sa1b_files(2)
    files["sa_1.json"] = files["sa_1.json"][:-4]
    folder = write_folder(tmp_path / "raw", files)
    bad: dict[str, str] = {}
    assert [picture.name for picture in read_labelled(folder, refuse=bad.__setitem__)] == ["sa1b/sa_2"]
    assert list(bad) == ["sa1b/sa_1"]
    with pytest.raises(DatasetError, match="sa1b/sa_1"):
        list(read_labelled(folder))


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"images": 3}',
        '{"images": [], "annotations": [{"image_id": 1}]}',
        '{"images": [], "annotations": [], "categories": [3]}',
        '{"images": [], "annotations": [], "licenses": 3}',
    ],
)
def test_a_damaged_json_is_refused_as_a_whole(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(DatasetError, match="cannot be used"):
        list(read_labelled(tmp_path / "x.json"))


def test_what_is_not_there_or_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no file or folder"):
        list(read_labelled(tmp_path / "gone.tar"))
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(DatasetError, match="no dataset that is read here"):
        list(read_labelled(tmp_path / "x.txt"))


def test_masks_of_a_coco_file_are_its_own(tmp_path: Path) -> None:
    value = coco_json(seed=3)
    (tmp_path / "coco.json").write_text(json.dumps(value, default=np.ndarray.tolist))
    for picture in read_labelled(tmp_path / "coco.json"):
        for index, one in enumerate(picture.masks.rles):
            assert int(rle.decode(one).sum()) == picture.masks.area_px[index]
