"""Records: what decodes, and what is refused."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from anymask.dataset import Record, read_shards
from anymask.errors import DatasetError, ImageError
from tests.dataset.sa1b_files import nested_masks, sa1b_files


def encode(array: np.ndarray, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, file_format, **options)
    return buffer.getvalue()


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.fixture
def picture(pixels: np.ndarray) -> bytes:
    return encode(pixels, "WEBP", lossless=True)


def test_pixels_and_maps_round_trip(pixels: np.ndarray, picture: bytes) -> None:
    first = (np.arange(600).reshape(20, 30) % 256).astype(np.uint8)
    second = (np.arange(600).reshape(20, 30) * 100).astype(np.uint16)
    record = Record("a", "set", picture, (encode(first, "PNG"), encode(second, "PNG")))
    assert record.name == "set/a"
    np.testing.assert_array_equal(record.pixels(), pixels)
    maps = record.label_maps()
    assert [m.dtype for m in maps] == [np.uint16, np.uint16]
    np.testing.assert_array_equal(maps[0], first)
    np.testing.assert_array_equal(maps[1], second)


def test_a_palette_map_is_its_indices_and_not_its_colours(picture: bytes) -> None:
    indices = np.zeros((20, 30), np.uint8)
    indices[4:9, 5:7] = 3
    coloured = Image.fromarray(indices).convert("P")
    coloured.putpalette([0, 0, 0, 9, 9, 9, 8, 8, 8, 250, 1, 1])
    coloured.putdata(indices.ravel())
    buffer = io.BytesIO()
    coloured.save(buffer, "PNG")
    np.testing.assert_array_equal(Record("a", "s", picture, (buffer.getvalue(),)).label_maps()[0], indices)


def test_a_one_bit_map_is_zero_and_one(picture: bytes) -> None:
    mask = np.zeros((20, 30), bool)
    mask[2:5] = True
    np.testing.assert_array_equal(Record("a", "s", picture, (encode(mask, "PNG"),)).label_maps()[0], mask)


def test_a_record_without_maps_has_none(picture: bytes) -> None:
    assert Record("a", "s", picture).label_maps() == []


def test_a_record_survives_pickling(picture: bytes) -> None:
    record = Record("a", "s", picture, (b"x",))
    assert pickle.loads(pickle.dumps(record)) == record


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


WHOLE = encode(np.random.default_rng(1).integers(0, 9, (20, 30), dtype=np.uint8), "PNG")


@pytest.mark.parametrize(
    ("map_bytes", "reason"),
    [
        (b"", "not a known picture format"),
        (b"<html></html>", "HTML"),
        (WHOLE[: len(WHOLE) // 2], "cut"),
        (WHOLE[:60] + bytes([WHOLE[60] ^ 1]) + WHOLE[61:], "wrong CRC"),
        (encode(np.zeros((20, 30), np.uint8), "TIFF"), "TIFF"),
        (encode(np.zeros((20, 30), np.uint8), "JPEG"), "lossy"),
        (encode(np.zeros((20, 30, 3), np.uint8), "PNG"), "one number a pixel"),
        (encode(np.zeros((20, 31), np.uint8), "PNG"), "must have its picture's size"),
        (png_claiming(100_000, 100_000), "100,000 x 100,000"),
    ],
    ids=["empty", "html", "half", "flipped", "tiff", "jpeg", "colour", "wider", "bomb"],
)
def test_a_bad_map_is_refused_by_name(picture: bytes, map_bytes: bytes, reason: str) -> None:
    with pytest.raises(DatasetError, match=r"label map 0 of set/a") as caught:
        Record("a", "set", picture, (map_bytes,)).label_maps()
    assert reason in str(caught.value)


def test_a_damaged_picture_is_refused(picture: bytes) -> None:
    with pytest.raises(ImageError, match=r"s/a"):
        Record("a", "s", picture[: len(picture) // 2], ()).pixels()


def test_a_damaged_picture_is_named_when_its_maps_are_asked_for() -> None:
    with pytest.raises(ImageError, match=r"s/a"):
        Record("a", "s", b"no picture", (WHOLE,)).label_maps()


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_label_map_lies_on_the_upright_picture(orientation: int) -> None:
    buffer, tag = io.BytesIO(), Image.Exif()
    tag[0x0112] = orientation
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(buffer, "JPEG", exif=tag)
    size_hw = (30, 20) if orientation >= 5 else (20, 30)
    record = Record("a", "s", buffer.getvalue(), (encode(np.ones(size_hw, np.uint8), "PNG"),))
    assert record.size_hw() == size_hw
    assert record.pixels().shape[:2] == record.label_maps()[0].shape == size_hw


def test_real_nuclei_maps_of_16_bits_are_read_whole(data_dir) -> None:
    records = list(read_shards([data_dir / "val-dsbowl2018.tar"]))
    sixteen_bit = [record for record in records if record.maps_bytes[0][24] == 16]  # IHDR's bit depth
    assert sixteen_bit
    for record in sixteen_bit[:3]:
        labels = record.label_maps()[0]
        assert labels.shape == record.pixels().shape[:2]
        assert labels.max() > 255


def sa1b_record(change: object) -> Record:
    """Picture 5 with its JSON changed in place, or replaced by the bytes given."""
    files = sa1b_files(5)
    value = json.loads(files["sa_5.json"])
    if callable(change):
        change(value)
    masks = change if isinstance(change, bytes) else json.dumps(value).encode()
    return Record("sa_5", "sa1b", files["sa_5.jpg"], (masks,), "sa1b")


def counts(text: str) -> object:
    return lambda value: value["annotations"][1]["segmentation"].update(counts=text)


def test_masks_of_sa1b_are_label_maps_in_which_each_is_whole() -> None:
    first, second = sa1b_record(None).label_maps()
    np.testing.assert_array_equal(first == 1, nested_masks()[0])
    np.testing.assert_array_equal(second == 2, nested_masks()[1])


def test_a_picture_in_which_nothing_was_found_has_no_map() -> None:
    assert sa1b_record(lambda value: value["annotations"].clear()).label_maps() == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (b"", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b"\xff\xfe{}", "cannot be read"),
        (b'{"image"', "cannot be read"),
        (b"[]", "must be an object"),
        (counts(""), "annotation 1"),
        (counts("00"), "annotation 1"),
        (counts("\xe9"), "annotation 1"),
        (counts("PPPPPPPPPPPPPPPPPP"), "annotation 1"),
        (lambda value: value["annotations"][0]["segmentation"].update(size=[9, 9]), "annotation 0"),
        (lambda value: value["annotations"][2].update(area=7), "annotation 2 says area 7"),
        (lambda value: value["annotations"][2].pop("segmentation"), "annotation 2 has no"),
        (lambda value: value["image"].update(file_name="sa_6.jpg"), "belongs to 'sa_6.jpg'"),
        (lambda value: value.update(image={"height": 9, "width": 9}, annotations=[]), r"of a picture of \(9, 9\)"),
        (lambda value: value.update(annotations=[{}] * 2**16), "65536 annotations"),
    ],
)
def test_bad_masks_of_sa1b_are_refused_by_name_and_reason(change: object, reason: str) -> None:
    with pytest.raises(DatasetError, match=f"the masks of sa1b/sa_5: .*{reason}.*fetch the file again"):
        sa1b_record(change).label_maps()
