from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from anymask.errors import ImageError
from anymask.images import load_image
from tests.images import pictures

_LOSSLESS = pictures.FILES["lossless"]


def _riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("size_wh", [(1, 1), (63, 17), (300, 2), (1000, 1)])
@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"Exif\0\0II*\0"}])
def test_size_of_each_kind_of_first_chunk_is_read(size_wh: tuple[int, int], options: dict[str, object]) -> None:
    data = pictures.encode(Image.new("RGB", size_wh), "WEBP", **options)
    assert load_image(data).size_hw == size_wh[::-1]


def test_transparent_webp_is_laid_on_white() -> None:
    rgba = np.dstack([pictures.SCENE, np.zeros(pictures.SCENE.shape[:2], np.uint8)])
    for options in ({"lossless": True}, {"exact": True}):
        assert (load_image(pictures.encode(Image.fromarray(rgba), "WEBP", **options)).pixels == 255).all()


def test_bytes_after_the_announced_end_change_nothing() -> None:
    assert np.array_equal(load_image(_LOSSLESS + b"tail").pixels, pictures.SCENE)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_riff(), "no picture"),
        (_riff((b"VP8X", bytes(10))), "no picture"),
        (_riff((b"VP8X", bytes(9))), "first chunk 'VP8X' is damaged"),
        (_riff((b"VP8L", b"\x2e" + bytes(9))), "first chunk 'VP8L' is damaged"),
        (_riff((b"VP8 ", bytes(12))), "first chunk 'VP8 ' is damaged"),
        (_riff((b"ALPH", bytes(12))), "first chunk 'ALPH' is damaged"),
        (_riff((b"VP8L", _LOSSLESS[20:40])), "cannot be decoded"),
        (b"RIFF\x20\0\0\0WEBPVP8L\xff\0\0\0" + bytes(30), "ends inside its 'VP8L' chunk"),
    ],
)
def test_damaged_webp_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        load_image(data)
