from __future__ import annotations

import json
import math

import numpy as np
import pytest
from faster_coco_eval import COCO
from hypothesis import given

from anymask.dataset.formats import CocoPicture, from_coco, to_coco
from anymask.dataset.formats.coco import OBJECT, category_names
from anymask.errors import MaskError
from anymask.masks import polygons, rle, set_from_masks, set_from_rles
from tests.masks.drawn import Mask, blobs, mask_stacks

NAMES = {3: "cup", 8: "plate"}


def example() -> list[CocoPicture]:
    """Two pictures of different size, scored and not, and one without masks."""
    first = set_from_masks(np.stack([blobs(seed, (20, 30)) for seed in range(3)]), predicted_iou=[0.9, 0.8, 0.7])
    second = set_from_masks(blobs(9, (16, 12))[None])
    return [
        CocoPicture(image_id=5, file_name="a.jpg", masks=first, category_ids=(3, 8, 3), is_crowd=(False, True, False)),
        CocoPicture(image_id=2, file_name="b.jpg", masks=second, category_ids=(8,), is_crowd=(False,)),
        CocoPicture(image_id=9, file_name="c.jpg", masks=set_from_rles([], (4, 4))),
    ]


def through_text(pictures: list[CocoPicture], names: dict[int, str] | None) -> dict[str, object]:
    """The file as strict JSON gives it back."""
    value = json.loads(json.dumps(to_coco(pictures, names), allow_nan=False))
    assert isinstance(value, dict)
    return value


def test_pictures_masks_categories_and_scores_survive_the_file() -> None:
    value = through_text(example(), NAMES)
    assert category_names(value) == NAMES
    for read, written in zip(from_coco(value), example(), strict=True):
        assert (read.image_id, read.file_name) == (written.image_id, written.file_name)
        assert read.category_ids == written.category_ids
        assert read.is_crowd == written.is_crowd
        assert read.masks.rles == written.masks.rles
        assert read.masks.size_hw == written.masks.size_hw
        np.testing.assert_array_equal(read.masks.predicted_iou, written.masks.predicted_iou)
        np.testing.assert_array_equal(read.masks.boxes_xyxy, written.masks.boxes_xyxy)
        np.testing.assert_array_equal(read.masks.stability, written.masks.stability)


@given(mask_stacks())
def test_any_masks_survive_the_file_as_objects(stack: Mask) -> None:
    (read,) = from_coco(through_text([CocoPicture(image_id=1, file_name="a", masks=set_from_masks(stack))], None))
    assert np.array_equal(rle.decode_batch(read.masks.rles), stack)
    assert read.category_ids == (OBJECT,) * len(stack)


def test_the_coco_library_reads_the_file_and_finds_the_same_masks() -> None:
    library = COCO(through_text(example(), NAMES))
    assert sorted(library.getImgIds()) == [2, 5, 9]
    for picture in example():
        found = library.loadAnns(library.getAnnIds(imgIds=[picture.image_id]))
        assert [item["category_id"] for item in found] == list(picture.category_ids)
        for item, encoded in zip(found, picture.masks.rles, strict=True):
            assert np.array_equal(library.annToMask(item), rle.decode(encoded))


def test_annotations_have_cocos_keys_exclusive_boxes_and_their_own_numbers() -> None:
    value = through_text(example(), NAMES)
    assert [item["id"] for item in value["annotations"]] == [1, 2, 3, 4]
    speck = np.zeros((5, 6), bool)
    speck[2, 3] = True
    item = to_coco([CocoPicture(image_id=1, file_name="a", masks=set_from_masks(speck[None]))])["annotations"][0]
    assert item == {
        "id": 1,
        "image_id": 1,
        "category_id": OBJECT,
        "segmentation": rle.to_json(rle.encode(speck)),
        "area": 1,
        "bbox": [3.0, 2.0, 1.0, 1.0],
        "iscrowd": 0,
    }


def test_polygons_and_plain_run_lengths_are_read() -> None:
    mask = blobs(4, (20, 30))
    forms = [
        [polygon.ravel().tolist() for polygon in polygons.to_polygons(mask)],
        {"size": [20, 30], "counts": rle.to_uncompressed(rle.encode(mask))},
    ]
    value = {
        "images": [{"id": 1, "height": 20, "width": 30}],
        "annotations": [{"id": n, "image_id": 1, "segmentation": form} for n, form in enumerate(forms)],
    }
    (picture,) = from_coco(value)
    assert picture.masks.rles == (rle.encode(mask),) * 2
    assert picture.file_name == ""
    assert category_names(value) == {}


DAMAGE: dict[str, tuple[tuple[object, ...], object, str]] = {
    "no images": (("images",), None, 'must have "images", a list of objects'),
    "annotations an object": (("annotations",), {}, 'must have "annotations", a list of objects'),
    "an annotation a number": (("annotations", 0), 7, 'must have "annotations", a list of objects'),
    "two images of one id": (("images", 1, "id"), 5, "image id 5 is no whole number, or occurs twice"),
    "an image id of text": (("images", 1, "id"), "5", "is no whole number"),
    "an annotation of no picture": (("annotations", 0, "image_id"), 77, "annotation 0 belongs to image 77"),
    "an image id that is a list": (
        ("annotations", 0, "image_id"),
        [5],
        "annotation 0 belongs to image [5], which is not",
    ),
    "a size that is none": (("images", 0, "height"), -20, "size is [-20, 30]"),
    "a mask of another size": (
        ("annotations", 1, "segmentation", "size"),
        [30, 20],
        "annotation 2: the mask is 30 x 20",
    ),
    "a polygon of two points": (
        ("annotations", 1, "segmentation"),
        [[1, 2, 3, 4]],
        "annotation 2: a polygon has 2 points",
    ),
    "a polygon far outside": (
        ("annotations", 1, "segmentation"),
        [[1, 2, 1e9, 4, 3, 3]],
        "annotation 2: a polygon reaches",
    ),
    "no polygon": (("annotations", 1, "segmentation"), [], "annotation 2: polygons must be"),
    "no segmentation": (("annotations", 1, "segmentation"), None, "annotation 2: an RLE must be"),
    "a score that is none": (("annotations", 1, "score"), math.nan, '"score" must be a finite number'),
    "an id of 5000 digits": (
        ("annotations", 1, "image_id"),
        10**5000,
        "belongs to image a whole number of more than 30",
    ),
    "a file name that is a number": (("images", 0, "file_name"), 7, '"file_name" must be text, got 7'),
    "a category of text": (("annotations", 1, "category_id"), "cup", '"category_id" must be'),
    "a category between two": (("annotations", 1, "category_id"), 1.5, '"category_id" must be'),
}


@pytest.mark.parametrize(("path", "value", "reason"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_refused_with_the_place_and_the_reason(
    path: tuple[object, ...], value: object, reason: str
) -> None:
    file = through_text(example(), NAMES)
    holder = file
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    with pytest.raises(MaskError) as caught:
        from_coco(file)
    assert reason in str(caught.value)


@pytest.mark.parametrize("value", [None, [], "file", 7])
def test_what_is_no_file_is_refused(value: object) -> None:
    with pytest.raises(MaskError, match="a COCO file must be an object"):
        from_coco(value)


@pytest.mark.parametrize("categories", [{}, [{"id": 1}], [{"id": "1", "name": "cup"}], {"1": "cup"}, [7]])
def test_categories_of_another_form_are_refused(categories: object) -> None:
    with pytest.raises(MaskError, match="categories"):
        category_names({"categories": categories})


def test_two_pictures_of_one_id_are_not_written() -> None:
    with pytest.raises(MaskError, match="two pictures have the same image_id"):
        to_coco([example()[0], example()[0]], NAMES)


def test_a_category_without_a_name_is_not_written() -> None:
    with pytest.raises(MaskError, match=r"mask 0 of 'a\.jpg' has category 3, which has no name"):
        to_coco(example())


def test_category_ids_and_crowds_must_be_one_a_mask_or_none() -> None:
    with pytest.raises(MaskError, match="2 category_ids for 3 masks"):
        CocoPicture(image_id=1, file_name="a", masks=example()[0].masks, category_ids=(3, 8))
    with pytest.raises(MaskError, match="1 is_crowd for 3 masks"):
        CocoPicture(image_id=1, file_name="a", masks=example()[0].masks, is_crowd=(True,))
