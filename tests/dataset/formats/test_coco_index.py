import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from anymask.dataset.entries import Span
from anymask.dataset.formats import coco_index
from anymask.dataset.formats.coco import from_coco
from anymask.dataset.formats.coco_index import CocoIndex
from anymask.errors import DatasetError, MaskError


def annotation(number: int, image_id: int) -> dict[str, Any]:
    box = [number % 5, 0, number % 5 + 3, 0, number % 5 + 3, 4, number % 5, 4]
    return {"id": number, "image_id": image_id, "category_id": 1 + number % 2, "segmentation": [box], "iscrowd": 0}


def file_of(pictures: int, masks: int) -> dict[str, Any]:
    """Annotations stand in an order of their own, some before the pictures; keys that nobody knows stand between."""
    names = [f"Bäcker \u2603 {n}.jpg" for n in range(pictures)]
    return {
        "info": {"year": 2017, "nested": [[1, 2], {"a": None}]},
        "annotations": [annotation(n, n % pictures) for n in range(pictures * masks)],
        "licenses": [],
        "images": [{"id": n, "width": 20, "height": 10, "file_name": name} for n, name in enumerate(names)],
        "version": 1.5e1,
        "categories": [{"id": 1, "name": "Löffel"}, {"id": 2, "name": 'a "quoted" one'}],
    }


def index(path: Path, text: bytes, *, before: bytes = b"", after: bytes = b"") -> CocoIndex:
    path.write_bytes(before + text + after)
    return CocoIndex(Span(path, len(before), len(text)))


@pytest.mark.parametrize("part", [1, 7, 64, 2**20])
@pytest.mark.parametrize("style", [{}, {"indent": 1}, {"ensure_ascii": False}, {"separators": (",", ":")}])
def test_it_reads_what_is_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int, style: dict[str, Any]
) -> None:
    monkeypatch.setattr(coco_index, "_PART_BYTES", part)
    value = file_of(3, 4)
    found = index(tmp_path / "a", json.dumps(value, **style).encode(), before=b'"[{', after=b"}]")
    expected = from_coco(value)
    assert [found.picture(image_id).file_name for image_id in found.image_ids] == [p.file_name for p in expected]
    for image_id, one in zip(found.image_ids, expected, strict=True):
        picture = found.picture(image_id)
        assert found.file_name(image_id) == one.file_name
        assert [mask.counts for mask in picture.masks.rles] == [mask.counts for mask in one.masks.rles]
        assert (picture.category_ids, picture.annotation_ids) == (one.category_ids, one.annotation_ids)
    assert found.categories == {1: "Löffel", 2: 'a "quoted" one'}


def test_a_byte_order_mark_and_no_categories_are_no_matter(tmp_path: Path) -> None:
    assert index(tmp_path / "a", b'\xef\xbb\xbf {"images": [], "annotations": []} ').categories == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "ends too early"),
        (b"[]", "expected {"),
        (b'{"images": [', "ends too early"),
        (b'{"images": [{"id": 1}', "ends too early"),
        (b'{"images": [{"id": 1', "cannot be read as JSON"),
        (b'{"images": [] "annotations": []}', "expected , or }"),
        (b'{"images": [1 2]}', "list of objects"),
        (b'{"images": [{"id": 1} {"id": 2}]}', "expected , or ]"),
        (b'{"images": 3, "annotations": []}', '"images", a list of objects'),
        (b'{"images": []}', '"annotations", a list of objects'),
        (b'{"images": [{"id": "a"}], "annotations": []}', "is no whole number"),
        (b'{"images": [{"id": 1}, {"id": 1}], "annotations": []}', "occurs twice"),
        (b'{"images": [{"id": 1, "file_name": 3}], "annotations": []}', "must be text"),
        (b'{"images": [], "annotations": [{"image_id": 4}]}', "image 4, which is not in the file"),
        (b'{"images": [], "annotations": ["x"]}', "belongs to no picture"),
        (b'{"images": [], "annotations": [], "categories": [{"id": 1}]}', '"name"'),
        (b'{"info": ' + b"[" * 100_000, "cannot be read as JSON"),
    ],
)
def test_what_is_no_coco_file_is_refused_with_the_reason(tmp_path: Path, text: bytes, reason: str) -> None:
    is_no_json = reason.startswith(("ends", "expected", "cannot be read"))
    with pytest.raises(DatasetError if is_no_json else MaskError, match=reason):
        index(tmp_path / "a", text)


def test_a_file_that_changed_meanwhile_is_said(tmp_path: Path) -> None:
    found = index(tmp_path / "a", json.dumps(file_of(2, 2)).encode())
    (tmp_path / "a").write_bytes(b"short")
    with pytest.raises(DatasetError, match="changed while it was read"):
        found.picture(0)


def test_an_annotation_that_is_no_text_is_said_with_the_file(tmp_path: Path) -> None:
    text = json.dumps(file_of(2, 1) | {"annotations": [annotation(0, 0) | {"note": "Loeffel"}, annotation(1, 1)]})
    found = index(tmp_path / "a.json", text.encode().replace(b"oe", b"\xf6"))
    with pytest.raises(DatasetError, match=r"a\.json is damaged.*0xf6"):
        found.picture(0)
    assert len(found.picture(1).masks) == 1


def test_memory_is_that_of_the_places_and_not_of_the_annotations(tmp_path: Path) -> None:
    value = file_of(50, 1)
    for one in value["annotations"]:
        one["segmentation"] = [[float(n) for n in range(20_000)]]
    text = json.dumps(value).encode()
    assert len(text) > 5_000_000
    tracemalloc.start()
    index(tmp_path / "a", text)
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    found = CocoIndex(Span(tmp_path / "a", 0, len(text)))
    now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.image_ids) == 50
    assert now - before < 200_000
    assert peak - before < 12_000_000
