"""Another project's reader of SA-1B's form, datumaro's, finds in our shards what was written."""

from __future__ import annotations

import contextlib
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datumaro import Dataset
from datumaro.components.annotation import AnnotationType
from datumaro.components.format_detection import FormatRequirementsUnmet, apply_format_detector
from datumaro.plugins.data_formats.segment_anything.importer import SegmentAnythingImporter

from anymask.dataset.labelled_picture import LabelledPicture
from anymask.dataset.write import WriteConfig, write_dataset
from anymask.images.load import load_image
from anymask.masks import rle
from anymask.masks.sets import set_from_rles
from tests.dataset.drawn_pictures import drawn_picture, jpeg, random_masks

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
FORM = "segment_anything"


def written(pictures: list[LabelledPicture], folder: Path, *, plain: bool) -> Path:
    """The pictures as our shards, unpacked, since datumaro reads no tar."""
    write_dataset(folder / "shards", pictures, WriteConfig(plain=plain))
    files = folder / "files"
    files.mkdir()
    # Member by member: extractall takes its filter only from Python 3.11.4 on.
    with tarfile.open(folder / "shards" / "sa_000000.tar") as shard:
        for member in shard:
            content = shard.extractfile(member)
            assert content is not None
            (files / member.name).write_bytes(content.read())
    return files


def check_same(pictures: list[LabelledPicture], files: Path) -> None:
    """Pixels, masks pixel by pixel, scores, clicks, crops and boxes."""
    found: dict[str, Any] = {item.id: item for item in Dataset.import_from(str(files), FORM)}
    assert sorted(found) == sorted(picture.name.rpartition("/")[2] for picture in pictures)
    for picture in pictures:
        item, masks = found[picture.name.rpartition("/")[2]], picture.masks
        ours = load_image(picture.image_bytes()).pixels
        assert item.media.data.shape == ours.shape
        read = [one for one in item.annotations if one.type == AnnotationType.mask]
        boxes = [one for one in item.annotations if one.type == AnnotationType.bbox]
        assert len(read) == len(boxes) == len(masks)
        for index, one in enumerate(read):
            np.testing.assert_array_equal(one.image, rle.decode(masks.rles[index]))
            assert one.attributes["predicted_iou"] == float(masks.predicted_iou[index])
            assert one.attributes["stability_score"] == float(masks.stability[index])
            assert one.attributes["point_coords"] == [[float(x) for x in masks.points_xy[index]]]
            assert one.attributes["crop_box"] == [0, 0, *reversed(masks.size_hw)]
            x0, y0, x1, y1 = masks.boxes_xyxy[index].tolist()
            if masks.area_px[index]:
                assert boxes[index].get_bbox() == [x0, y0, x1 - x0 - 1, y1 - y0 - 1]


@pytest.mark.parametrize("plain", [False, True])
def test_datumaro_reads_what_was_written(tmp_path: Path, *, plain: bool) -> None:
    pictures = [drawn_picture(number, masks=25) for number in (1, 4, 9)]
    files = written(pictures, tmp_path, plain=plain)
    check_same(pictures, files)
    keys = {"image", "annotations"} if plain else {"image", "annotations", "anymask"}
    assert json.loads((files / "sa_4.json").read_bytes()).keys() == keys


@pytest.mark.parametrize("plain", [False, True])
def test_only_plain_shards_are_recognised_without_being_named(tmp_path: Path, *, plain: bool) -> None:
    files = written([drawn_picture(1)], tmp_path, plain=plain)
    with contextlib.nullcontext() if plain else pytest.raises(FormatRequirementsUnmet):
        apply_format_detector(str(files), SegmentAnythingImporter.detect)


@pytest.mark.slow
def test_datumaro_reads_ten_thousand_random_masks(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = []
    for number in range(1, 401):
        size_hw = (int(rng.integers(8, 24)), int(rng.integers(8, 24)))
        masks = set_from_rles(
            [rle.encode(mask) for mask in random_masks(rng, 25, size_hw)],
            size_hw,
            predicted_iou=rng.random(25).astype(np.float32),
            stability=rng.random(25).astype(np.float32),
            points_xy=rng.uniform(0, 8, (25, 2)).astype(np.float32),
        )
        data = jpeg(size_hw, number)
        pictures.append(LabelledPicture(name=f"sa_{number}", masks=masks, read_image=lambda data=data: data))
    check_same(pictures, written(pictures, tmp_path, plain=False))
