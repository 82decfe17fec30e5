from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anymask.errors import ImageError
from anymask.images import load_image
from tests.images import pictures


@pytest.mark.parametrize("tail", [b"\0" * 50, pictures.FILES["jpeg"], b"MotionPhoto_Data" * 9])
def test_bytes_after_the_end_of_a_jpeg_change_nothing(tail: bytes) -> None:
    assert np.array_equal(load_image(pictures.FILES["jpeg"] + tail).pixels, load_image(pictures.FILES["jpeg"]).pixels)


@pytest.mark.parametrize("damage", [b"II*\0\xff\xff\xff\xff", b"junk", b"MM\0*\0\0\0\x08\xff\xff\x01\x12", b""])
def test_damaged_exif_leaves_the_picture_upright(damage: bytes) -> None:
    body = b"Exif\0\0" + damage
    data = pictures.FILES["jpeg"]
    segment = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    assert np.array_equal(load_image(data[:2] + segment + data[2:]).pixels, load_image(data).pixels)


def test_jpeg_cut_in_the_middle_is_refused_also_with_an_end_marker_put_on() -> None:
    for name in ("jpeg", "progressive"):
        data = pictures.FILES[name]
        with pytest.raises(ImageError, match=r"damaged \((Corrupt JPEG data|Premature end)"):
            load_image(data[: len(data) // 2] + b"\xff\xd9")


def test_flipped_bits_of_a_jpeg_are_refused_wherever_the_decoder_has_to_guess(
    photo_path: Path, record_property: pytest.RecordProperty
) -> None:
    import simplejpeg

    data = photo_path.read_bytes()
    start = data.index(b"\xff\xda") + 14
    rng = np.random.default_rng(0)
    refused = 0
    for position in rng.integers(start, len(data) - 2, 150):
        damaged = bytearray(data)
        damaged[position] ^= 1 << int(rng.integers(8))
        try:
            simplejpeg.decode_jpeg(bytes(damaged))
            is_noticed = False
        except ValueError:
            is_noticed = True
        try:
            load_image(bytes(damaged))
        except ImageError:
            refused += 1
        else:
            assert not is_noticed
    # The rest are other valid pictures: a JPEG has no checksum.
    record_property("refused_of_150", refused)
    assert refused >= 10


def test_lost_restart_marker_is_refused() -> None:
    data = pictures.encode(Image.fromarray(pictures.SCENE), "JPEG", restart_marker_blocks=2)
    position = data.index(b"\xff\xd3")
    with pytest.raises(ImageError, match="damaged"):
        load_image(data[:position] + data[position + 2 :])


def test_twelve_bit_jpeg_is_refused() -> None:
    jpeg = pictures.FILES["jpeg"]
    frame = jpeg.index(b"\xff\xc0")
    with pytest.raises(ImageError, match="12 bits a sample"):
        load_image(jpeg[: frame + 4] + b"\x0c" + jpeg[frame + 5 :])


def test_jpeg_of_very_many_scans_is_refused() -> None:
    data = pictures.FILES["progressive"]
    start = data.rindex(b"\xff\xda")
    scan = data[start:-2]
    with pytest.raises(ImageError, match="scans, expected at most 100"):
        load_image(data[:-2] + scan * 200 + b"\xff\xd9")
