from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from anymask.dataset.index import RecordIndex
from anymask.dataset.labelled_picture import labelled
from anymask.dataset.sources import read_labelled
from anymask.dataset.write import WriteConfig, number_of, write_dataset
from anymask.errors import ConfigError, DatasetError, MaskError
from anymask.masks import rle
from tests.dataset.drawn_pictures import drawn_picture, jpeg

SA1B_KEYS = ["id", "segmentation", "area", "bbox", "predicted_iou", "point_coords", "stability_score", "crop_box"]


def test_pictures_come_back_with_masks_scores_clicks_and_notes(tmp_path: Path) -> None:
    pictures = [drawn_picture(number) for number in (7, 3, 12)]
    write_dataset(tmp_path / "d", pictures, WriteConfig(pictures_per_shard=2))
    assert sorted(path.name for path in (tmp_path / "d").glob("*.tar")) == ["sa_000000.tar", "sa_000001.tar"]
    for before, after in zip(pictures, read_labelled(tmp_path / "d"), strict=True):
        assert after.name == before.name
        assert after.masks.rles == before.masks.rles
        assert after.notes == before.notes
        for column in ("predicted_iou", "stability", "points_xy", "crop_boxes_xyxy", "boxes_xyxy", "area_px"):
            np.testing.assert_array_equal(getattr(after.masks, column), getattr(before.masks, column))


def test_any_picture_is_read_by_its_place(tmp_path: Path) -> None:
    write_dataset(tmp_path, (drawn_picture(n) for n in range(1, 8)), WriteConfig(pictures_per_shard=3))
    records = RecordIndex([tmp_path])
    assert len(records) == 7
    assert labelled(records[5]).masks.rles == drawn_picture(6).masks.rles


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own, with numpy 2
def test_an_independent_reader_sees_sa1bs_fields_and_the_same_masks(tmp_path: Path) -> None:
    """Python's tarfile and json and the COCO library: none of this package's readers."""
    pictures = {number: drawn_picture(number) for number in (1, 2)}
    write_dataset(tmp_path, pictures.values())
    with tarfile.open(tmp_path / "sa_000000.tar") as shard:
        names = shard.getnames()
        assert names == ["sa_1.jpg", "sa_1.json", "sa_2.jpg", "sa_2.json"]
        for number, picture in pictures.items():
            record = json.load(io.BytesIO(shard.extractfile(f"sa_{number}.json").read()))
            assert record["image"] == {"image_id": number, "width": 30, "height": 20, "file_name": f"sa_{number}.jpg"}
            for index, annotation in enumerate(record["annotations"]):
                assert list(annotation)[:8] == SA1B_KEYS
                decoded = coco_mask.decode(annotation["segmentation"])
                np.testing.assert_array_equal(decoded, rle.decode(picture.masks.rles[index]))
                assert annotation["area"] == int(coco_mask.area(annotation["segmentation"]))


def test_a_damaged_picture_is_left_out_and_named(tmp_path: Path) -> None:
    bad = replace(drawn_picture(2), read_image=lambda: jpeg((20, 30))[:-30])
    other = replace(drawn_picture(4), read_image=lambda: jpeg((30, 20)))
    left_out: dict[str, str] = {}
    card = write_dataset(tmp_path / "d", [drawn_picture(1), bad, other], left_out=left_out)
    assert card.pictures == 1
    assert set(left_out) == {"sa1b/sa_2", "sa1b/sa_4"} == {name for name, _ in card.left_out}
    assert "masks of its size" in left_out["sa1b/sa_4"]
    with pytest.raises(MaskError, match="masks of its size"):
        write_dataset(tmp_path / "e", [other])
    assert list((tmp_path / "e").iterdir()) == []


def test_numbers_are_kept_or_given_in_order_and_never_twice(tmp_path: Path) -> None:
    named = [replace(drawn_picture(n), name=f"cups/{n}") for n in (5, 6)]
    write_dataset(tmp_path / "a", named, WriteConfig(first_number=100))
    assert [picture.name for picture in read_labelled(tmp_path / "a")] == ["sa1b/sa_100", "sa1b/sa_101"]
    write_dataset(tmp_path / "b", [drawn_picture(8), drawn_picture(2)], WriteConfig(keep_numbers=False))
    assert [picture.name for picture in read_labelled(tmp_path / "b")] == ["sa1b/sa_1", "sa1b/sa_2"]
    with pytest.raises(DatasetError, match="--renumber"):
        write_dataset(tmp_path / "c", [drawn_picture(8), drawn_picture(8)])


def test_a_dataset_is_not_written_over(tmp_path: Path) -> None:
    write_dataset(tmp_path, [drawn_picture(1)])
    with pytest.raises(DatasetError, match="holds a dataset already"):
        write_dataset(tmp_path, [drawn_picture(2)])


def test_what_a_stopped_run_left_is_written_anew(tmp_path: Path) -> None:
    def stops() -> object:
        yield drawn_picture(1)
        yield drawn_picture(2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path, stops(), WriteConfig(pictures_per_shard=1))
    assert write_dataset(tmp_path, [drawn_picture(9)]).pictures == 1
    assert [picture.name for picture in read_labelled(tmp_path)] == ["sa1b/sa_9"]


@pytest.mark.parametrize("changes", [{"pictures_per_shard": 0}, {"first_number": -1}])
def test_bad_settings_are_named(changes: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(changes))):
        WriteConfig(**changes)


def test_numbers_are_found_in_names_of_sa1b_alone() -> None:
    assert [number_of(name) for name in ("sa_7", "x/sa_0012", "sa_x", "psa_7")] == [7, 12, None, None]
