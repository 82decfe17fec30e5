"""Real image files, made in memory for the tests of the gate."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
ORIENTATION_TAG, GPS_TAG = 0x0112, 0x8825


def encode(image: Image.Image, file_format: str, **options: object) -> bytes:
    """The file that Pillow writes."""
    target = io.BytesIO()
    image.save(target, file_format, **options)
    return target.getvalue()


def scene(height: int = 48, width: int = 64) -> npt.NDArray[np.uint8]:
    """(H, W, 3) smooth colours with a square whose place tells every orientation apart."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([255 * x / width, 255 * y / height, 128 + 40 * np.sin(x / 5)], axis=-1).astype(np.uint8)
    pixels[3 : height // 4, 2 : width // 3] = (250, 20, 30)
    return pixels


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk with the right CRC."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *, depth: int, colour: int, chunks: Sequence[bytes]) -> bytes:
    """A PNG of the given header and chunks, whatever they are; IEND is added."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return PNG_SIGNATURE + header + b"".join(chunks) + chunk(b"IEND", b"")


def one_bit_png(side: int) -> bytes:
    """A black one-bit square: a decompression bomb when `side` is large, of about side^2 / 8,000 bytes."""
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + (side + 7) // 8)
    body = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return png(side, side, depth=1, colour=0, chunks=[chunk(b"IDAT", body)])


def with_orientation(image: Image.Image, file_format: str, orientation: int, **options: object) -> bytes:
    """The picture stored as it is, with an EXIF orientation (and a GPS block) stated."""
    block = Image.Exif()
    block[ORIENTATION_TAG] = orientation
    block.get_ifd(GPS_TAG)[1] = "N"
    return encode(image, file_format, exif=block, **options)


SCENE = scene()
FILES = {
    "jpeg": encode(Image.fromarray(SCENE), "JPEG", quality=95),
    "progressive": encode(Image.fromarray(SCENE), "JPEG", progressive=True),
    "png": encode(Image.fromarray(SCENE), "PNG"),
    "webp": encode(Image.fromarray(SCENE), "WEBP"),
    "lossless": encode(Image.fromarray(SCENE), "WEBP", lossless=True),
    "gif": encode(Image.fromarray(SCENE), "GIF"),
}
"""The scene in every allowed format, by name."""
