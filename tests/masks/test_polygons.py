from __future__ import annotations

import math

import faster_coco_eval.mask_api_new_cpp as native
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from anymask.errors import MaskError
from anymask.masks import polygons, rle
from tests.masks.drawn import Mask, blobs, masks

TRIANGLE = [1.0, 1.0, 9.0, 1.0, 1.0, 7.0]

COORDINATE = st.floats(-50, 100, width=32) | st.integers(-50, 100).map(float) | st.sampled_from([0.1, 0.5, 0.09, 9.9])


@given(masks(max_side=16))
def test_a_mask_survives_its_polygons(mask: Mask) -> None:
    assume(mask.any())
    assert rle.decode(polygons.from_polygons(polygons.to_polygons(mask), mask.shape)).tolist() == mask.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_a_larger_mask_with_holes_survives_its_polygons_in_the_coco_library_too(seed: int) -> None:
    mask = blobs(seed, (240, 320), cells=24)
    mask[100:140, 50:90] &= np.indices((40, 40)).sum(0) % 3 > 0
    flat = [polygon.ravel().tolist() for polygon in polygons.to_polygons(mask)]
    assert polygons.from_polygons(flat, mask.shape) == rle.encode(mask)
    merged = native.merge(native.frPyObjects(flat, *mask.shape))
    assert merged["counts"] == rle.encode(mask).counts


def test_an_empty_mask_has_no_polygons() -> None:
    assert polygons.to_polygons(np.zeros((3, 4), bool)) == []


@settings(max_examples=300)
@given(st.lists(st.lists(st.tuples(COORDINATE, COORDINATE), min_size=3, max_size=8), min_size=1, max_size=3))
def test_the_mask_is_the_coco_librarys(drawn: list[list[tuple[float, float]]]) -> None:
    assume(all(len(set(points)) >= 3 for points in drawn))
    flat = [[value for point in points for value in point] for points in drawn]
    (expected,) = (
        native.frPyObjects(flat, 40, 50) if len(flat) == 1 else (native.merge(native.frPyObjects(flat, 40, 50)),)
    )
    assert np.array_equal(
        rle.decode(polygons.from_polygons(drawn, (40, 50))), rle.decode(rle.from_json(expected, (40, 50)))
    )


def test_pairs_flat_lists_arrays_and_tuples_say_the_same() -> None:
    pairs = np.array(TRIANGLE).reshape(-1, 2)
    forms = [[TRIANGLE], [pairs], [pairs.tolist()], (tuple(map(tuple, pairs)),), pairs[None]]
    assert len({polygons.from_polygons(form, (10, 12)) for form in forms}) == 1


def test_polygons_are_joined_and_one_that_crosses_itself_alternates() -> None:
    left, right = [0, 0, 2, 0, 2, 1, 0, 1], [1, 0, 3, 0, 3, 1, 1, 1]
    assert rle.decode(polygons.from_polygons([left, right], (1, 4))).astype(int).tolist() == [[1, 1, 1, 0]]
    assert rle.decode(polygons.from_polygons([left + right], (1, 4))).astype(int).tolist() == [[1, 0, 1, 0]]


def test_a_polygon_that_leaves_the_picture_is_cut_at_its_border() -> None:
    assert rle.decode(polygons.from_polygons([[-3, -3, 9, -3, 9, 2, -3, 2]], (5, 6)))[:2].all()
    assert rle.area(polygons.from_polygons([[-3, -3, 9, -3, 9, 2, -3, 2]], (5, 6))) == 12


def test_points_that_the_rasteriser_rounds_together_enclose_nothing() -> None:
    assert rle.area(polygons.from_polygons([[1.0, 1.0, 1.01, 1.0, 1.0, 1.01]], (4, 4))) == 0


REFUSED: dict[str, tuple[object, str]] = {
    "NaN": ([1.0, 1.0, 9.0, math.nan, 1.0, 7.0], "not finite"),
    "infinite": ([1.0, 1.0, 9.0, math.inf, 1.0, 7.0], "not finite"),
    "1e9": ([1.0, 1.0, 1e9, 1.0, 1.0, 7.0], r"reaches from 1 to 1e\+09 but the picture is 10 x 12"),
    "-1e9": ([1.0, 1.0, -1e9, 1.0, 1.0, 7.0], "reaches from"),
    "1e400": ([1, 1, 10**400, 1, 1, 7], "not a number"),
    "no point": ([], "0 points"),
    "two points": ([1.0, 1.0, 9.0, 1.0], "2 points, expected 3"),
    "an odd number of values": ([1.0, 1.0, 9.0, 1.0, 5.0], "expected"),
    "one place three times": ([1.0, 1.0] * 3, "fewer than 3 different points"),
    "two places many times": ([1.0, 1.0, 2.0, 2.0] * 3, "fewer than 3 different points"),
    "triples": ([[1, 1, 1], [2, 2, 2], [3, 3, 3]], "expected"),
    "ragged": ([[1, 1], [2, 2, 2], [3, 3]], "not a number"),
    "text": (["a", "b", "c", "d", "e", "f"], "not a number"),
    "nothing": (None, "expected"),
    "an object": ({"x": 1}, "not a number"),
    "a zigzag of many pictures": (np.array([[0, 0], [20, 9]] * 300_000 + [[0, 5]]), "outline is 12000005 px long"),
}


@pytest.mark.parametrize(("polygon", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_malformed_polygon_is_refused_with_its_reason(polygon: object, reason: str) -> None:
    with pytest.raises(MaskError, match=reason):
        polygons.from_polygons([TRIANGLE, polygon], (10, 12))


@pytest.mark.parametrize("value", [[], None, "polygon", b"polygon", {}, 7, np.zeros((0, 3, 2))], ids=str)
def test_what_is_no_list_of_polygons_is_refused(value: object) -> None:
    with pytest.raises(MaskError, match="at least one polygon"):
        polygons.from_polygons(value, (10, 12))


def test_a_size_that_is_none_is_refused_before_anything_is_drawn() -> None:
    with pytest.raises(MaskError, match="size is"):
        polygons.from_polygons([TRIANGLE], (2**31, 2**31))
