from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from anymask.dataset import read_shards
from anymask.dataset.formats import from_png, to_png
from anymask.dataset.formats.png import decode_labels, encode_labels
from anymask.errors import MaskError
from anymask.masks import set_from_masks, to_label_map
from tests.masks.drawn import blobs

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=20)


def file_of(image: Image.Image, **options: object) -> bytes:
    """The PNG file of a PIL picture."""
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


@given(hnp.arrays(np.uint16, SHAPES))
def test_labels_of_16_bits_survive_the_file(labels: np.ndarray) -> None:
    back = decode_labels(encode_labels(labels))
    assert back.dtype == np.uint16
    assert np.array_equal(back, labels)


def test_masks_that_do_not_overlap_survive_the_file() -> None:
    whole = blobs(0, (40, 50))
    masks = set_from_masks(np.stack([whole, ~whole]))
    back = from_png(to_png(masks))
    assert back.rles == masks.rles
    assert back.size_hw == (40, 50)


def test_where_masks_overlap_the_smaller_one_is_on_top() -> None:
    large, small = blobs(0, (40, 50)), blobs(0, (40, 50), level=1.0)
    masks = set_from_masks(np.stack([small, large]))
    back = from_png(to_png(masks))
    assert back.rles[0] == masks.rles[0]
    assert back.area_px.tolist() == [small.sum(), (large & ~small).sum()]
    assert np.array_equal(decode_labels(to_png(masks)), to_label_map(masks))


def test_the_file_is_one_grey_channel_of_16_bits() -> None:
    image = Image.open(io.BytesIO(encode_labels(np.full((2, 3), 40_000, np.uint16))))
    assert (image.format, image.mode, image.size) == ("PNG", "I;16", (3, 2))


@given(hnp.arrays(np.uint8, SHAPES))
def test_labels_of_8_bits_are_read_in_grey_and_in_palette_files(labels: np.ndarray) -> None:
    palette = Image.fromarray(labels)
    palette.putpalette(np.random.default_rng(0).integers(0, 256, 768, np.uint8).tobytes())
    assert np.array_equal(decode_labels(file_of(Image.fromarray(labels))), labels)
    assert np.array_equal(decode_labels(file_of(palette)), labels)


def test_labels_of_one_bit_are_zero_and_one() -> None:
    image = Image.fromarray(np.array([[0, 255, 0]], np.uint8)).convert("1")
    assert decode_labels(file_of(image)).tolist() == [[0, 1, 0]]


def test_real_label_maps_are_read_as_the_data_reader_does(data_dir: Path) -> None:
    record = next(iter(read_shards(sorted(data_dir.glob("val-*.tar"))[:1])))
    for data, labels in zip(record.maps_bytes, record.label_maps(), strict=True):
        assert np.array_equal(decode_labels(data), labels)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_coloured_or_transparent_pictures_are_no_label_maps(mode: str) -> None:
    with pytest.raises(MaskError, match=f"has mode {mode}, expected one 8- or 16-bit grey or palette channel"):
        decode_labels(file_of(Image.new(mode, (3, 2))))


@pytest.mark.parametrize(
    "data", [b"", b"<html>", b"\xff\xd8\xff\xe0 a JPEG", b"\x89PNG"], ids=["empty", "html", "jpeg", "cut"]
)
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(MaskError, match=r"must be a PNG file|cannot be read"):
        decode_labels(data)


@given(st.data())
def test_a_file_cut_anywhere_is_refused(data: st.DataObject) -> None:
    labels = np.random.default_rng(0).integers(0, 2**16, (9, 11), np.uint16)
    whole = encode_labels(labels)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(MaskError):
        decode_labels(cut)


@given(st.data())
def test_a_flipped_bit_never_changes_a_label_silently(data: st.DataObject) -> None:
    labels = np.random.default_rng(0).integers(0, 2**16, (9, 11), np.uint16)
    whole = bytearray(encode_labels(labels))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        back = decode_labels(bytes(whole))
    except MaskError:
        return
    assert np.array_equal(back, labels)


def test_a_header_that_claims_a_huge_picture_is_refused_before_it_is_unpacked() -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 1, 0, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    with pytest.raises(MaskError, match=r"the label map cannot be read: .*100,000"):
        decode_labels(data)
