"""SA-1B's JSON, one record a picture: the keys and conventions of the public automatic mask generator.

Boxes. `bbox` is [x, y, w, h] of the *inclusive* extremes: w is the last foreground column minus the first, so a mask
of one pixel has [x, y, 0, 0]. A `MaskSet` box ends one past the last column: x1 = x + w + 1. `crop_box` is [x, y, w, h]
with true widths, as in the public code. An empty mask has [0, 0, 0, 0] in both; only its area tells it from a one-pixel
mask at the origin. Source: segment-anything 1.0, `utils/amg.py` (`batched_mask_to_box`, `box_xyxy_to_xywh`).

What is unknown (NaN in a MaskSet) is written as null, a missing point as an empty list; JSON has no NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from anymask.errors import MaskError
from anymask.masks import boxes as box
from anymask.masks import rle as rles
from anymask.masks.sets import set_from_rles
from anymask.masks.types import MaskSet, Rle
from anymask.masks.validate import check_size, shown

Json = dict[str, Any]


def box_to_sa1b(box_xyxy: npt.ArrayLike) -> list[float]:
    """SA-1B's [x, y, w, h] of a MaskSet's exclusive box (4,).

    >>> box_to_sa1b([3, 4, 5, 5])
    [3, 4, 1, 0]
    """
    x0, y0, x1, y1 = (_number(value) for value in np.asarray(box_xyxy, np.float64))
    return [x0, y0, max(x1 - x0 - 1, 0), max(y1 - y0 - 1, 0)]


def box_from_sa1b(bbox: Sequence[float], area_px: float) -> npt.NDArray[np.float32]:
    """(4,) float32 exclusive box of SA-1B's [x, y, w, h]; zeros when the mask is empty.

    >>> box_from_sa1b([3, 4, 1, 0], 2).tolist()
    [3.0, 4.0, 5.0, 5.0]
    """
    if area_px == 0:
        return np.zeros(4, np.float32)
    x, y, width, height = bbox
    return np.array([x, y, x + width + 1, y + height + 1], np.float32)


def to_sa1b(masks: MaskSet, image_id: int, file_name: str, *, first_id: int = 1) -> Json:
    """One picture's record: `image` and `annotations`, ready for `json.dump`.

    Annotations are numbered from `first_id`. When the MaskSet has a tree, each also says `parent`: the id of the
    smallest mask that contains it, or null.

    Raises: MaskError when a mask is malformed.
    """
    height, width = masks.size_hw
    return {
        "image": {"image_id": image_id, "width": width, "height": height, "file_name": file_name},
        "annotations": [_annotation(masks, index, first_id) for index in range(len(masks))],
    }


def from_sa1b(record: object) -> MaskSet:
    """The masks of one record, through the RLE gate; boxes are measured from the masks. Extra keys are ignored.

    Only `segmentation` is needed in an annotation; what else is missing or null is unknown. `area`, when there, must be
    the mask's.

    Raises: MaskError when the record has another form, an RLE is malformed or not of the picture's size, an area is not
    its mask's, or a number is none.
    """
    if not isinstance(record, Mapping) or not isinstance(record.get("image"), Mapping):
        raise MaskError('an SA-1B record must be an object with "image" and "annotations"')
    annotations = record.get("annotations")
    if not isinstance(annotations, list):
        raise MaskError(f'"annotations" must be a list, got {type(annotations).__name__}')
    image = record["image"]
    size_hw = check_size([image.get("height"), image.get("width")])
    for index, annotation in enumerate(annotations):
        if not isinstance(annotation, Mapping) or "segmentation" not in annotation:
            raise MaskError(f'annotation {index} has no "segmentation"; an SA-1B annotation holds one RLE')
    full_crop = [0, 0, size_hw[1], size_hw[0]]
    crops = [numbers(item, "crop_box", 4) or full_crop for item in annotations]
    found = set_from_rles(
        [_rle(item, index, size_hw) for index, item in enumerate(annotations)],
        size_hw,
        predicted_iou=[number(item, "predicted_iou") for item in annotations],
        stability=[number(item, "stability_score") for item in annotations],
        points_xy=[_point(item) for item in annotations],
        crop_boxes_xyxy=box.xywh_to_xyxy(np.array(crops, np.float32).reshape(-1, 4)),
    )
    for index, item in enumerate(annotations):
        area = number(item, "area")
        if not math.isnan(area) and area != found.area_px[index]:
            raise MaskError(
                f"annotation {index} says area {area:g} but its mask has {found.area_px[index]} px; damaged"
            )
    return replace(found, parents=_parents(annotations))


def number(item: Mapping[str, Any], key: str) -> float:
    """The finite number under `key`; NaN when it is missing or null.

    Raises: MaskError for anything else.
    """
    value = item.get(key)
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        raise MaskError(f'"{key}" must be a finite number or null, got {shown(value)}')
    return float(value)


def numbers(item: Mapping[str, Any], key: str, length: int) -> list[float] | None:
    """The `length` finite numbers under `key`; None when it is missing or null.

    Raises: MaskError for anything else.
    """
    values = item.get(key)
    if values is None:
        return None
    if not isinstance(values, list) or len(values) != length or any(value is None for value in values):
        raise MaskError(f'"{key}" must be {length} numbers, got {shown(values)}')
    return [number({key: value}, key) for value in values]


def _annotation(masks: MaskSet, index: int, first_id: int) -> Json:
    point = masks.points_xy[index]
    annotation: Json = {
        "id": first_id + index,
        "segmentation": rles.to_json(masks.rles[index]),
        "area": int(masks.area_px[index]),
        "bbox": box_to_sa1b(masks.boxes_xyxy[index]),
        "predicted_iou": finite_or_none(masks.predicted_iou[index]),
        "point_coords": [] if np.isnan(point).any() else [[float(x) for x in point]],
        "stability_score": finite_or_none(masks.stability[index]),
        "crop_box": [_number(x) for x in box.xyxy_to_xywh(masks.crop_boxes_xyxy[index])],
    }
    if len(masks.parents):
        parent = int(masks.parents[index])
        annotation["parent"] = None if parent < 0 else first_id + parent
    return annotation


def finite_or_none(value: np.float32) -> float | None:
    """A float for JSON; None for NaN."""
    return float(value) if np.isfinite(value) else None


def _number(value: float) -> float:
    """A whole number as int, so that files say 3 and not 3.0."""
    return int(value) if float(value).is_integer() else float(value)


def _rle(item: Mapping[str, Any], index: int, size_hw: tuple[int, int]) -> Rle:
    try:
        return rles.from_json(item["segmentation"], size_hw)
    except MaskError as error:
        raise MaskError(f"annotation {index}: {error}") from error


def _point(item: Mapping[str, Any]) -> list[float]:
    points = item.get("point_coords")
    if points is None or points == []:
        return [math.nan, math.nan]
    if not isinstance(points, list):
        raise MaskError(f'"point_coords" must be a list of [x, y], got {type(points).__name__}')
    point = numbers({"point_coords": points[0]}, "point_coords", 2)
    return [math.nan, math.nan] if point is None else point


def _parents(annotations: list[Mapping[str, Any]]) -> npt.NDArray[np.int64]:
    """(M,) indices from the `parent` ids, or (0,) when no annotation has one."""
    if not any("parent" in item for item in annotations):
        return np.zeros(0, np.int64)
    index_of = {item["id"]: index for index, item in enumerate(annotations) if type(item.get("id")) is int}
    parents = np.full(len(annotations), -1, np.int64)
    for index, item in enumerate(annotations):
        parent = item.get("parent")
        if parent is not None:
            if type(parent) is not int or parent not in index_of:
                raise MaskError(f"annotation {index} names parent {shown(parent)}, which is not in the record")
            parents[index] = index_of[parent]
    return parents
