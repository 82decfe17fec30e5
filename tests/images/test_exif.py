from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from anymask.images.exif import read_orientation, turn_upright
from tests.images import pictures


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_read_in_both_byte_orders(order: str, prefix: bytes, orientation: int) -> None:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    other = struct.pack(f"{order}HHII", 0x0100, 4, 1, 640)
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    block = prefix + head + struct.pack(f"{order}H", 2) + other + entry + b"\0\0\0\0"
    assert read_orientation(block) == orientation


@pytest.mark.parametrize(("kind", "value"), [(3, 0), (3, 9), (4, 6)])
def test_orientation_that_is_no_orientation_is_upright(kind: int, value: int) -> None:
    block = b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHIHH", 0x0112, kind, 1, value, 0)
    assert read_orientation(block) == 1


@given(block=st.binary(max_size=60), start=st.integers(0, 2**32 - 1), order=st.sampled_from([b"II*\0", b"MM\0*"]))
def test_any_bytes_give_an_orientation(block: bytes, start: int, order: bytes) -> None:
    assert 1 <= read_orientation(block) <= 8
    assert 1 <= read_orientation(order + start.to_bytes(4, "little") + block) <= 8
    assert 1 <= read_orientation(order + (8).to_bytes(4, "little") + block) <= 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_agrees_with_pillow(orientation: int) -> None:
    image = Image.fromarray(pictures.SCENE)
    image.getexif()[pictures.ORIENTATION_TAG] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(turn_upright(pictures.SCENE, orientation), expected)
