from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from anymask.errors import ImageError
from anymask.images import load_image
from tests.images import pictures


def test_sixteen_bit_grey_keeps_its_upper_eight_bits() -> None:
    grey = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    pixels = load_image(pictures.encode(Image.fromarray(grey), "PNG")).pixels
    assert np.array_equal(pixels, np.repeat((grey >> 8).astype(np.uint8)[..., None], 3, axis=2))


def test_sixteen_bit_colour_keeps_its_upper_eight_bits() -> None:
    rows = b"\0" + struct.pack(">6H", 0x1234, 0xFFFF, 0x0080, 0, 0x0100, 0x7FFF)
    data = pictures.png(2, 1, depth=16, colour=2, chunks=[pictures.chunk(b"IDAT", zlib.compress(rows))])
    assert load_image(data).pixels.tolist() == [[[0x12, 0xFF, 0x00], [0, 1, 0x7F]]]


def test_sixteen_bit_grey_with_a_key_is_white_where_it_is_transparent() -> None:
    body = pictures.chunk(b"IDAT", zlib.compress(b"\0" + struct.pack(">2H", 300, 40000)))
    data = pictures.png(2, 1, depth=16, colour=0, chunks=[pictures.chunk(b"tRNS", struct.pack(">H", 300)), body])
    assert load_image(data).pixels[0, :, 0].tolist() == [255, 40000 >> 8]


def test_sixteen_bit_colour_with_a_key_is_read_as_opaque() -> None:
    body = pictures.chunk(b"IDAT", zlib.compress(b"\0" + struct.pack(">3H", 300, 300, 300)))
    key = pictures.chunk(b"tRNS", struct.pack(">3H", 300, 300, 300))
    assert load_image(pictures.png(1, 1, depth=16, colour=2, chunks=[key, body])).pixels.tolist() == [[[1, 1, 1]]]


def test_every_flipped_bit_of_a_png_is_refused() -> None:
    data = pictures.FILES["png"]
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1 << position % 8
        with pytest.raises(ImageError):
            load_image(bytes(damaged))


def test_wrong_crc_is_named() -> None:
    damaged = bytearray(pictures.FILES["png"])
    damaged[len(damaged) // 2] ^= 4
    with pytest.raises(ImageError, match="IDAT chunk at byte 33 has a wrong CRC"):
        load_image(bytes(damaged))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (zlib.compress(b"\0" * 40)[:-4] + b"\0\0\0\0", "pixel data is damaged"),
        (zlib.compress(b"\0" * 20), "20 bytes of pixels, expected 40"),
        (zlib.compress(b"\x07" * 40), "cannot be decoded"),
        (b"no zlib", "pixel data is damaged"),
        (b"", "0 bytes of pixels, expected 40"),
    ],
    ids=["wrong adler", "half the rows", "unknown filter", "no zlib", "no data"],
)
def test_png_of_right_crcs_and_wrong_data_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        load_image(pictures.png(3, 4, depth=8, colour=2, chunks=[pictures.chunk(b"IDAT", body)]))


@pytest.mark.parametrize("size_wh", [(1, 1), (3, 5), (8, 8), (17, 9), (2, 40)])
@pytest.mark.parametrize("pillow_mode", ["1", "L", "P", "RGB", "RGBA"])
def test_interlaced_png_is_whole_with_all_its_passes_and_cut_with_a_byte_less(
    size_wh: tuple[int, int], pillow_mode: str
) -> None:
    depth, colour = {"1": (1, 0), "L": (8, 0), "P": (8, 3), "RGB": (8, 2), "RGBA": (8, 6)}[pillow_mode]
    bits = depth * {0: 1, 3: 1, 2: 3, 6: 4}[colour]
    rows = []
    for x, y, step_x, step_y in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)]:
        columns = len(range(x, size_wh[0], step_x))
        rows += [b"\0" * (1 + (columns * bits + 7) // 8)] * (len(range(y, size_wh[1], step_y)) if columns else 0)
    rows += [b"\0" * (1 + (size_wh[0] * bits + 7) // 8)] * len(range(1, size_wh[1], 2))
    whole = b"".join(rows)
    palette = [pictures.chunk(b"PLTE", bytes(768))] if colour == 3 else []
    for body, is_whole in ((whole, True), (whole[:-1], False)):
        header = pictures.chunk(b"IHDR", struct.pack(">IIBBBBB", *size_wh, depth, colour, 0, 0, 1))
        chunks = [header, *palette, pictures.chunk(b"IDAT", zlib.compress(body)), pictures.chunk(b"IEND", b"")]
        data = pictures.PNG_SIGNATURE + b"".join(chunks)
        if is_whole:
            assert load_image(data).size_hw == size_wh[::-1]
        else:
            with pytest.raises(ImageError, match="bytes of pixels"):
                load_image(data)


def test_palette_picture_without_its_palette_is_refused() -> None:
    chunks = [pictures.chunk(b"IDAT", zlib.compress(b"\0\0\0"))]
    with pytest.raises(ImageError, match="no palette"):
        load_image(pictures.png(2, 1, depth=8, colour=3, chunks=chunks))
