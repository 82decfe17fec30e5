"""The structure of a WebP: its RIFF chunks. It carries no checksum; only what is missing can be told."""

from __future__ import annotations

import struct

from anymask.errors import ImageError
from anymask.images import exif
from anymask.images.container import AGAIN, Container
from anymask.images.limits import ImageLimits


def open_webp(data: bytes, limits: ImageLimits) -> Container:
    """The WebP up to the end its header announces.

    Raises: ImageError for a file shorter than announced, a damaged chunk or a size over `limits`.
    """
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise ImageError(f"the WebP announces {end:,} bytes and has {len(data):,}, it was cut; {AGAIN}")
    size_hw: tuple[int, int] | None = None
    orientation, has_pixels, position = exif.UPRIGHT, False, 12
    while position + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, position)
        body = data[position + 8 : position + 8 + length]
        if len(body) < length or position + 8 + length > end:
            raise ImageError(f"the WebP ends inside its {kind.decode('latin-1')!r} chunk, it is damaged; {AGAIN}")
        if size_hw is None:
            size_hw = _read_size_hw(kind, body)
            limits.check_size(size_hw)
        has_pixels |= kind in (b"VP8 ", b"VP8L", b"ANMF")
        if kind == b"EXIF":
            orientation = exif.read_orientation(body)
        position += 8 + length + length % 2
    if size_hw is None or not has_pixels:
        raise ImageError(f"the WebP has no picture in it, it is damaged; {AGAIN}")
    return Container(format="webp", size_hw=size_hw, orientation=orientation, data=data[:end])


def _read_size_hw(kind: bytes, body: bytes) -> tuple[int, int]:
    """Height and width from the first chunk. Source: RFC 9649, sections 2.5 to 2.7."""
    if kind == b"VP8X" and len(body) >= 10:
        return 1 + int.from_bytes(body[7:10], "little"), 1 + int.from_bytes(body[4:7], "little")
    if kind == b"VP8L" and len(body) >= 5 and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF)
    if kind == b"VP8 " and len(body) >= 10 and body[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", body, 6)
        return height & 0x3FFF, width & 0x3FFF
    raise ImageError(f"the WebP's first chunk {kind.decode('latin-1')!r} is damaged; {AGAIN}")
