from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given

from anymask.dataset import read_shards
from anymask.dataset.formats import from_sa1b, to_sa1b
from anymask.dataset.formats.sa1b import box_from_sa1b, box_to_sa1b
from anymask.errors import MaskError
from anymask.masks import MaskSet, rle, set_from_label_map, set_from_masks, set_from_rles
from tests.masks.drawn import Mask, blobs, mask_stacks
from tests.public_sam import import_public_sam

public = import_public_sam().utils.amg

PUBLIC_KEYS = {"id", "segmentation", "area", "bbox", "predicted_iou", "point_coords", "stability_score", "crop_box"}


def example() -> MaskSet:
    """Three masks of one picture, all that a model can say of them, and a tree."""
    whole, part, speck = blobs(1, (20, 30)), blobs(1, (20, 30), level=0.9), np.zeros((20, 30), bool)
    speck[4, 7] = True
    found = set_from_rles(
        rle.encode_batch(np.stack([whole, part, speck])),
        (20, 30),
        predicted_iou=[0.9, 0.8, 0.7],
        stability=[0.99, 0.98, 0.97],
        points_xy=[[3.5, 4.25], [5, 6], [7.5, 4.5]],
        crop_boxes_xyxy=[[0, 0, 30, 20], [0, 0, 16, 12], [2, 1, 30, 20]],
    )
    return replace(found, parents=np.array([-1, 0, -1]))


def assert_same(first: MaskSet, second: MaskSet) -> None:
    """Every field equal, NaN equal to NaN."""
    assert first.size_hw == second.size_hw
    assert first.rles == second.rles
    fields = ("area_px", "boxes_xyxy", "predicted_iou", "stability", "points_xy", "crop_boxes_xyxy", "parents")
    for field in fields:
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field), err_msg=field)


def through_text(masks: MaskSet) -> dict[str, object]:
    """The record as a strict JSON file gives it back."""
    record = json.loads(json.dumps(to_sa1b(masks, 7, "sa_7.jpg"), allow_nan=False))
    assert isinstance(record, dict)
    return record


def test_everything_that_is_known_of_masks_survives_the_file() -> None:
    assert_same(from_sa1b(through_text(example())), example())


@given(mask_stacks())
def test_masks_that_nothing_is_known_of_survive_the_file(stack: Mask) -> None:
    masks = set_from_masks(stack)
    assert_same(from_sa1b(through_text(masks)), masks)


def test_real_label_maps_survive_the_file(data_dir: Path) -> None:
    record = next(iter(read_shards(sorted(data_dir.glob("val-*.tar"))[:1])))
    for labels in record.label_maps():
        masks = set_from_label_map(labels)
        assert len(masks) > 0
        assert_same(from_sa1b(through_text(masks)), masks)


def test_a_picture_without_masks_is_a_record_without_annotations() -> None:
    empty = set_from_rles([], (20, 30))
    assert through_text(empty)["annotations"] == []
    assert_same(from_sa1b(through_text(empty)), empty)


def test_the_record_has_the_keys_and_forms_of_sa1b() -> None:
    record = through_text(replace(example(), parents=np.zeros(0, np.int64)))
    assert record["image"] == {"image_id": 7, "width": 30, "height": 20, "file_name": "sa_7.jpg"}
    for annotation in record["annotations"]:
        assert set(annotation) == PUBLIC_KEYS
    speck = record["annotations"][2]
    assert speck["segmentation"] == {
        "size": [20, 30],
        "counts": rle.encode(rle.decode(example().rles[2])).counts.decode(),
    }
    assert (speck["id"], speck["area"], speck["bbox"]) == (3, 1, [7, 4, 0, 0])
    assert speck["point_coords"] == [[7.5, 4.5]]
    assert speck["crop_box"] == [2, 1, 28, 19]
    assert math.isclose(speck["predicted_iou"], 0.7, rel_tol=1e-6)


def test_annotations_are_numbered_from_the_id_given() -> None:
    assert [item["id"] for item in to_sa1b(example(), 7, "a.jpg", first_id=100)["annotations"]] == [100, 101, 102]


@given(mask_stacks())
def test_bbox_is_what_the_public_generator_writes(stack: Mask) -> None:
    inclusive = public.batched_mask_to_box(torch.from_numpy(stack))
    expected = [public.box_xyxy_to_xywh(box).tolist() for box in inclusive]
    assert [item["bbox"] for item in to_sa1b(set_from_masks(stack), 1, "a.jpg")["annotations"]] == expected


@given(mask_stacks())
def test_bbox_and_area_give_the_exact_box_back(stack: Mask) -> None:
    masks = set_from_masks(stack)
    for box, area in zip(masks.boxes_xyxy, masks.area_px, strict=True):
        assert np.array_equal(box_from_sa1b(box_to_sa1b(box), area), box)


def test_unknown_keys_are_ignored_and_only_the_segmentation_is_needed() -> None:
    record = through_text(example())
    record["licence"] = "ours"
    record["image"] = {"height": 20, "width": 30, "camera": {"lens": 1}}
    record["annotations"] = [
        {"segmentation": item["segmentation"], "colour": "red", "predicted_iou": None} for item in record["annotations"]
    ]
    assert_same(from_sa1b(record), set_from_rles(example().rles, (20, 30)))


def test_plain_run_lengths_are_read_too() -> None:
    record = through_text(example())
    for item, encoded in zip(record["annotations"], example().rles, strict=True):
        item["segmentation"]["counts"] = rle.to_uncompressed(encoded)
    assert_same(from_sa1b(record), example())


DAMAGE: dict[str, tuple[tuple[object, ...], object, str]] = {
    "counts cut": (("annotations", 1, "segmentation", "counts"), "92", "annotation 1: RLE counts cover"),
    "size of another picture": (
        ("annotations", 1, "segmentation", "size"),
        [30, 20],
        "annotation 1: the mask is 30 x 20",
    ),
    "segmentation missing": (("annotations", 2), {"area": 1}, 'annotation 2 has no "segmentation"'),
    "segmentation a polygon": (
        ("annotations", 0, "segmentation"),
        [[1, 1, 2, 2, 3, 1]],
        "annotation 0: an RLE must be",
    ),
    "annotation no object": (("annotations", 0), 7, "annotation 0 has no"),
    "annotations no list": (("annotations",), {}, '"annotations" must be a list'),
    "image missing": (("image",), None, 'an object with "image"'),
    "height missing": (("image", "height"), None, "size is"),
    "height huge": (("image", "height"), 2**40, "size is"),
    "area of another mask": (("annotations", 2, "area"), 2, "annotation 2 says area 2 but its mask has 1 px"),
    "area NaN": (("annotations", 2, "area"), math.nan, '"area" must be a finite number'),
    "score text": (("annotations", 2, "predicted_iou"), "high", '"predicted_iou" must be a finite number'),
    "score true": (("annotations", 2, "stability_score"), True, '"stability_score" must be a finite number'),
    "score infinite": (("annotations", 2, "predicted_iou"), math.inf, '"predicted_iou" must be a finite number'),
    "score of 5000 digits": (("annotations", 2, "predicted_iou"), 10**5000, '"predicted_iou" must be a finite number'),
    "crop of three": (("annotations", 2, "crop_box"), [1, 2, 3], '"crop_box" must be 4 numbers'),
    "crop with a gap": (("annotations", 2, "crop_box"), [1, 2, 3, None], '"crop_box" must be 4 numbers'),
    "point a number": (("annotations", 2, "point_coords"), 3, '"point_coords" must be a list'),
    "point of one": (("annotations", 2, "point_coords"), [[3]], '"point_coords" must be 2 numbers'),
    "parent elsewhere": (("annotations", 2, "parent"), 99, "names parent 99, which is not in the record"),
    "parent a list": (("annotations", 2, "parent"), [1], "names parent"),
}


@pytest.mark.parametrize(("path", "value", "reason"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_record_is_refused_with_the_place_and_the_reason(
    path: tuple[object, ...], value: object, reason: str
) -> None:
    record = through_text(example())
    holder = record
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    with pytest.raises(MaskError) as caught:
        from_sa1b(record)
    assert reason in str(caught.value)


@pytest.mark.parametrize("value", [None, [], "record", 7])
def test_what_is_no_record_is_refused(value: object) -> None:
    with pytest.raises(MaskError, match="an SA-1B record must be an object"):
        from_sa1b(value)
