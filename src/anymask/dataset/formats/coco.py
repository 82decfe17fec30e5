"""COCO's instance JSON: one file for many pictures, each with its masks and their categories.

Boxes are COCO's [x, y, w, h] with true widths (a one-pixel mask has w = h = 1), unlike SA-1B's. Masks are written as
compressed RLE; polygons, compressed and plain RLE are read. Scores that a model gave are written as
`score` (the predicted IoU, COCO's key for results) and `stability_score`, and read back.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anymask.dataset.formats.sa1b import finite_or_none, number
from anymask.errors import MaskError
from anymask.masks import boxes as box
from anymask.masks import polygons
from anymask.masks import rle as rles
from anymask.masks.sets import set_from_rles
from anymask.masks.types import MaskSet, Rle
from anymask.masks.validate import check_size, shown

Json = dict[str, Any]

OBJECT = 1
"""Id of the one category of masks without classes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CocoPicture:
    """One picture of a COCO file."""

    image_id: int
    file_name: str
    """As the file says it; join it to a folder with `images.paths.safe_join` only."""
    masks: MaskSet
    category_ids: tuple[int, ...] = ()
    """One id a mask; none means that all are OBJECT."""
    is_crowd: tuple[bool, ...] = ()
    """Per mask: does it cover a group that nobody took apart (COCO's `iscrowd`); none means that no one does."""
    annotation_ids: tuple[int, ...] = ()
    """As read, one a mask; writing numbers them anew."""
    stated_area_px: tuple[float, ...] = ()
    """As read, one a mask: the file's `area`, by which COCO's scores call a mask small, medium or large; it may differ
    from the mask's own, which stands in where the file says none."""

    def __post_init__(self) -> None:
        for name in ("category_ids", "is_crowd", "annotation_ids", "stated_area_px"):
            values = getattr(self, name)
            if values and len(values) != len(self.masks):
                raise MaskError(f"{len(values)} {name} for {len(self.masks)} masks; give one each or none")


def to_coco(pictures: Sequence[CocoPicture], categories: Mapping[int, str] | None = None) -> Json:
    """The whole file: `images`, `annotations` (numbered from 1) and `categories` (id -> name; one "object" if None).

    Raises: MaskError when a mask is malformed, a category has no name, or two pictures have one id.
    """
    names = category_names_of(categories)
    ids = [picture.image_id for picture in pictures]
    if len(set(ids)) != len(ids):
        raise MaskError("two pictures have the same image_id; COCO files need a different one for each")
    annotations: list[Json] = []
    for picture in pictures:
        annotations += picture_annotations(picture, len(annotations) + 1, names)
    return {
        "images": [picture_image(picture) for picture in pictures],
        "annotations": annotations,
        "categories": category_list(names),
    }


def category_names_of(categories: Mapping[int, str] | None) -> dict[int, str]:
    """Id -> name; one "object" if None."""
    return {OBJECT: "object"} if categories is None else dict(categories)


def category_list(names: Mapping[int, str]) -> list[Json]:
    """What stands under `categories`."""
    return [{"id": key, "name": name, "supercategory": "object"} for key, name in names.items()]


def picture_image(picture: CocoPicture) -> Json:
    """What stands of it under `images`."""
    height, width = picture.masks.size_hw
    return {"id": picture.image_id, "width": width, "height": height, "file_name": picture.file_name}


def picture_annotations(picture: CocoPicture, first_id: int, names: Mapping[int, str]) -> list[Json]:
    """What stands of it under `annotations`, numbered from `first_id`.

    Raises: MaskError when a mask is malformed, or its category has no name.
    """
    return [_annotation(picture, index, first_id + index, names) for index in range(len(picture.masks))]


def from_coco(value: object) -> list[CocoPicture]:
    """The pictures of a COCO file in its order, those without masks included; extra keys are ignored.

    Raises: MaskError when the file has another form, an annotation names an unknown picture, or a mask is refused.
    """
    if not isinstance(value, Mapping):
        raise MaskError(f"a COCO file must be an object, got {type(value).__name__}")
    grouped = annotations_by_image(value)
    return [read_picture(image, grouped[image["id"]]) for image in objects(value, "images")]


def annotations_by_image(value: Mapping[str, Any]) -> dict[int, list[Mapping[str, Any]]]:
    """Image id -> its annotations, for every image in the order of the file.

    Raises: MaskError for an image without a whole number of its own as id, or an annotation of an unknown picture.
    """
    images, annotations = objects(value, "images"), objects(value, "annotations")
    grouped: dict[int, list[Mapping[str, Any]]] = {}
    for image in images:
        grouped[new_image_id(image, grouped)] = []
    for index, annotation in enumerate(annotations):
        owner = annotation.get("image_id")
        if type(owner) is not int or owner not in grouped:
            raise MaskError(f"annotation {index} belongs to image {shown(owner)}, which is not in the file")
        grouped[owner].append(annotation)
    return grouped


def new_image_id(image: Mapping[str, Any], known: Container[int]) -> int:
    """The id of one of `images`.

    Raises: MaskError when it is no whole number, or one of the `known`.
    """
    number = image.get("id")
    if type(number) is not int or number in known:
        raise MaskError(f"image id {shown(number)} is no whole number, or occurs twice")
    return number


def image_file_name(image: Mapping[str, Any]) -> str:
    """Where the picture of one of `images` lies below its folder; empty when that is not said.

    Raises: MaskError when it is no text.
    """
    name = image.get("file_name", "")
    if not isinstance(name, str):
        raise MaskError(f'"file_name" must be text, got {shown(name)}')
    return name


def category_names(value: Mapping[str, Any]) -> dict[int, str]:
    """Id -> name of a COCO file's categories; empty when it has none.

    Raises: MaskError when one has no whole number as id or no name.
    """
    if value.get("categories") is None:
        return {}
    categories = objects(value, "categories")
    if not all(type(item.get("id")) is int and isinstance(item.get("name"), str) for item in categories):
        raise MaskError('one of "categories" lacks a whole number as "id" or a text as "name"')
    return {item["id"]: item["name"] for item in categories}


def objects(value: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The list of objects under `key`.

    Raises: MaskError when there is none.
    """
    items = value.get(key)
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise MaskError(f'a COCO file must have "{key}", a list of objects')
    return items


def _annotation(picture: CocoPicture, index: int, annotation_id: int, names: Mapping[int, str]) -> Json:
    masks = picture.masks
    category = picture.category_ids[index] if picture.category_ids else OBJECT
    if category not in names:
        raise MaskError(f"mask {index} of {picture.file_name!r} has category {category}, which has no name")
    annotation: Json = {
        "id": annotation_id,
        "image_id": picture.image_id,
        "category_id": category,
        "segmentation": rles.to_json(masks.rles[index]),
        "area": int(masks.area_px[index]),
        "bbox": [float(x) for x in box.xyxy_to_xywh(masks.boxes_xyxy[index])],
        "iscrowd": int(picture.is_crowd[index]) if picture.is_crowd else 0,
    }
    scores = {"score": masks.predicted_iou[index], "stability_score": masks.stability[index]}
    known = {key: finite_or_none(score) for key, score in scores.items()}
    return annotation | {key: score for key, score in known.items() if score is not None}


def read_picture(image: Mapping[str, Any], annotations: Sequence[Mapping[str, Any]]) -> CocoPicture:
    """One of `images` with its annotations, as parsed from JSON.

    Raises: MaskError when its size is none, or a mask is refused.
    """
    size_hw = check_size([image.get("height"), image.get("width")])
    masks = set_from_rles(
        [_rle(item, size_hw) for item in annotations],
        size_hw,
        predicted_iou=np.array([number(item, "score") for item in annotations]),
        stability=np.array([number(item, "stability_score") for item in annotations]),
    )
    return CocoPicture(
        image_id=image["id"],
        file_name=image_file_name(image),
        masks=masks,
        category_ids=tuple(_whole_number(item, "category_id", OBJECT) for item in annotations),
        is_crowd=tuple(number(item, "iscrowd") == 1 for item in annotations),
        annotation_ids=tuple(_whole_number(item, "id", index + 1) for index, item in enumerate(annotations)),
        stated_area_px=tuple(
            float(own) if math.isnan(stated := number(item, "area")) else stated
            for item, own in zip(annotations, masks.area_px, strict=True)
        ),
    )


def _whole_number(item: Mapping[str, Any], key: str, missing: int) -> int:
    value = item.get(key, missing)
    if type(value) is not int:
        raise MaskError(f'"{key}" must be a whole number, got {shown(value)}')
    return value


def _rle(item: Mapping[str, Any], size_hw: tuple[int, int]) -> Rle:
    segmentation = item.get("segmentation")
    try:
        if isinstance(segmentation, list):
            return polygons.from_polygons(segmentation, size_hw)
        return rles.from_json(segmentation, size_hw)
    except MaskError as error:
        raise MaskError(f"annotation {shown(item.get('id'))}: {error}") from error
