"""Labelled pictures of every form that is read give the same records of the same masks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anymask.dataset.formats.png import encode_labels
from anymask.dataset.labelled import RecordSource, open_data, picture_names, read_data
from anymask.errors import DatasetError
from tests.evaluation.annotated_data import write_annotated

BOXES = {"a.jpg": [(2, 3, 12, 10), (20, 5, 28, 18)], "more/b.png": [(1, 1, 30, 20)]}
"""Per picture, rectangles (x0, y0, x1, y1); polygons of them cover the same pixels in every form."""
SIZE_WH = (32, 24)


def write_pictures(root: Path) -> Path:
    for name in BOXES:
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE_WH, (90, 120, 30)).save(path)
    return root


def corners(box: tuple[int, int, int, int]) -> list[list[int]]:
    x0, y0, x1, y1 = box
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]


def write_maps(root: Path) -> Path:
    for name, boxes in BOXES.items():
        labels = np.zeros(SIZE_WH[::-1], np.uint16)
        for label, (x0, y0, x1, y1) in enumerate(boxes, start=1):
            labels[y0:y1, x0:x1] = label
        path = (root / "maps" / name).with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_labels(labels))
    return write_pictures(root)


def write_labelme(root: Path) -> Path:
    for name, boxes in BOXES.items():
        path = (root / "polygons" / name).with_suffix(".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"shapes": [{"points": corners(box)} for box in boxes]}))
    return write_pictures(root)


def write_via(root: Path) -> Path:
    entries = {}
    for name, boxes in BOXES.items():
        regions = []
        for box in boxes:
            xs, ys = zip(*corners(box), strict=True)
            regions.append({"shape_attributes": {"name": "polygon", "all_points_x": xs, "all_points_y": ys}})
        entries[name] = {"filename": name, "regions": regions}
    write_pictures(root)
    (root / "polygons.json").write_text(json.dumps(entries))
    return root


def write_coco(root: Path) -> Path:
    images, annotations = [], []
    for number, (name, boxes) in enumerate(BOXES.items()):
        images.append({"id": number, "file_name": name, "width": SIZE_WH[0], "height": SIZE_WH[1]})
        for box in boxes:
            flat = [value for pair in corners(box) for value in pair]
            annotations.append({"id": len(annotations), "image_id": number, "category_id": 1, "segmentation": [flat]})
    write_pictures(root)
    (root / "annotations.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    return root


Writer = Callable[[Path], Path]
WRITERS: list[Writer] = [write_maps, write_labelme, write_via, write_coco]


@pytest.mark.parametrize("write", WRITERS)
def test_every_form_gives_the_same_masks(tmp_path: Path, write: Writer) -> None:
    folder = write(tmp_path / "boxes")
    assert picture_names(folder) == ["boxes/a", "boxes/more_b"]
    for record, boxes in zip(read_data([folder]), BOXES.values(), strict=True):
        found = [labels == label for labels in record.label_maps() for label in np.unique(labels[labels > 0])]
        areas = sorted(int(mask.sum()) for mask in found)
        assert areas == sorted((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes)
        assert record.pixels().shape == (*SIZE_WH[::-1], 3)


def test_a_source_is_given_back_as_it_is_and_shards_are_read_too(tmp_path: Path, data_dir: Path) -> None:
    source = open_data(write_maps(tmp_path / "boxes"))
    assert isinstance(source, RecordSource)
    assert open_data(source) is source
    shard = data_dir / "val-food_plates.tar"
    assert picture_names(shard) == [record.name for record in read_data([shard])]


def test_labels_that_are_missing_or_of_two_forms_are_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no labels"):
        open_data(write_pictures(tmp_path / "none"))
    both = write_via(write_maps(tmp_path / "both"))
    with pytest.raises(DatasetError, match=r"maps and polygons\.json"):
        open_data(both)
    gone = write_maps(tmp_path / "gone")
    (gone / "maps" / "a.png").unlink()
    with pytest.raises(DatasetError, match=r"a\.png cannot be read.*needs its labels"):
        list(read_data([gone]))
    shutil.copy(gone / "images" / "a.jpg", gone / "images" / "a.png")
    with pytest.raises(DatasetError, match="two pictures of one name"):
        open_data(gone)


@pytest.mark.parametrize(
    ("write", "file", "content"),
    [
        (write_labelme, "polygons/a.json", "{"),
        (write_labelme, "polygons/a.json", '{"shapes": [{"points": [[0, 0], [1e9, 0], [3, 3]]}]}'),
        (write_via, "polygons.json", "{}"),
        (write_via, "polygons.json", "[]"),
    ],
)
def test_damaged_polygons_are_named(tmp_path: Path, write: Writer, file: str, content: str) -> None:
    folder = write(tmp_path / "boxes")
    (folder / file).write_text(content)
    with pytest.raises(DatasetError, match=r"boxes/a|polygons\.json"):
        list(read_data([folder]))


def test_an_annotation_file_in_a_folder_of_its_own_is_read(tmp_path: Path) -> None:
    annotations, folder, _ = write_annotated(tmp_path / "x")
    annotations.rename(tmp_path / "x" / "annotations.json")
    folder.rename(tmp_path / "x" / "images")
    assert picture_names(tmp_path / "x") == ["x/0", "x/1", "x/2"]
