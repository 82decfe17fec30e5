"""Polygons as two annotation tools write them: labelme (a file a picture) and VIA (one file for all).

Source: labelme's json (`shapes` of `points`), and the VGG Image Annotator's (`regions` with `all_points_x` and
`all_points_y`), version 1 (regions by number) and 2 (a list).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from anymask.errors import MaskError
from anymask.masks.validate import shown

Polygon = list[float]
"""x0, y0, x1, y1, ... original pixels, as COCO has it."""


def from_labelme(value: object) -> list[Polygon]:
    """The polygons of one labelme file, in its order.

    Raises: MaskError when it has another form, or holds a shape that is no polygon.
    """
    shapes = value.get("shapes") if isinstance(value, Mapping) else None
    if not isinstance(shapes, list):
        raise MaskError('a labelme file must be an object with "shapes", a list')
    polygons = []
    for index, shape in enumerate(shapes):
        if not isinstance(shape, Mapping) or shape.get("shape_type", "polygon") != "polygon":
            kind = shape.get("shape_type") if isinstance(shape, Mapping) else shape
            raise MaskError(f"shape {index} is {shown(kind)}; only polygons are read, draw it as one")
        polygons.append(_flat(shape.get("points"), f"shape {index}"))
    return polygons


def from_via(value: object) -> dict[str, list[Polygon]]:
    """File name -> its polygons, of a VIA project or export; pictures without regions are there with none.

    Raises: MaskError when it has another form, or holds a region that is no polygon.
    """
    if isinstance(value, Mapping) and "_via_img_metadata" in value:
        value = value["_via_img_metadata"]
    if not isinstance(value, Mapping):
        raise MaskError("a VIA file must be an object with an entry for each picture")
    found: dict[str, list[Polygon]] = {}
    for key, entry in value.items():
        if not isinstance(entry, Mapping) or not isinstance(entry.get("filename"), str):
            raise MaskError(f'the entry {shown(key)} has no "filename"; this is no VIA file')
        regions = entry.get("regions", [])
        several = regions.values() if isinstance(regions, Mapping) else regions
        if not isinstance(several, Iterable) or isinstance(several, str):
            raise MaskError(f'"regions" of {entry["filename"]!r} must be a list or an object')
        found[entry["filename"]] = [_region(region, entry["filename"]) for region in several]
    return found


def _region(region: object, where: str) -> Polygon:
    shape = region.get("shape_attributes") if isinstance(region, Mapping) else None
    if not isinstance(shape, Mapping) or shape.get("name") not in ("polygon", "polyline"):
        kind = shape.get("name") if isinstance(shape, Mapping) else region
        raise MaskError(f"a region of {where!r} is {shown(kind)}; only polygons are read, draw it as one")
    xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
    if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
        raise MaskError(f"a region of {where!r} needs as many all_points_x as all_points_y")
    return _flat([list(pair) for pair in zip(xs, ys, strict=True)], f"a region of {where!r}")


def _flat(points: Any, where: str) -> Polygon:
    if not isinstance(points, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in points):
        raise MaskError(f"{where} must have points, a list of [x, y]")
    return [coordinate for pair in points for coordinate in pair]
