"""labelme and VIA."""

from __future__ import annotations

import pytest

from anymask.dataset.formats.polygon_files import from_labelme, from_via
from anymask.errors import MaskError

SQUARE = [[1, 1], [5, 1], [5, 4]]


def via_region(name: str = "polygon", xs: object = None) -> dict[str, object]:
    shape = {"name": name, "all_points_x": [1, 5, 5] if xs is None else xs, "all_points_y": [1, 1, 4]}
    return {"shape_attributes": shape, "region_attributes": {}}


def test_labelme_shapes_are_read_in_order() -> None:
    value = {
        "imagePath": "a.jpg",
        "shapes": [{"label": "x", "points": SQUARE, "shape_type": "polygon"}, {"points": SQUARE}],
    }
    assert from_labelme(value) == [[1, 1, 5, 1, 5, 4]] * 2
    assert from_labelme({"shapes": []}) == []


def test_via_is_read_in_both_of_its_versions() -> None:
    first = {"a.jpg123": {"filename": "a.jpg", "regions": {"0": via_region()}}}
    second = {"_via_img_metadata": {"k": {"filename": "a.jpg", "regions": [via_region("polyline")]}}}
    assert from_via(first) == from_via(second) == {"a.jpg": [[1, 1, 5, 1, 5, 4]]}
    assert from_via({"k": {"filename": "b.jpg", "regions": []}}) == {"b.jpg": []}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "shapes"),
        ({"shapes": [{"shape_type": "circle", "points": SQUARE}]}, "'circle'; only polygons"),
        ({"shapes": [3]}, "only polygons"),
        ({"shapes": [{"points": [[1, 2, 3]]}]}, "list of \\[x, y\\]"),
    ],
)
def test_another_labelme_file_is_refused(value: object, message: str) -> None:
    with pytest.raises(MaskError, match=message):
        from_labelme(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "an object"),
        ({"k": {}}, "no VIA file"),
        ({"k": {"filename": "a.jpg", "regions": 3}}, "a list or an object"),
        ({"k": {"filename": "a.jpg", "regions": [via_region("rect")]}}, "'rect'; only polygons"),
        ({"k": {"filename": "a.jpg", "regions": [via_region(xs=[1])]}}, "as many"),
    ],
)
def test_another_via_file_is_refused(value: object, message: str) -> None:
    with pytest.raises(MaskError, match=message):
        from_via(value)
