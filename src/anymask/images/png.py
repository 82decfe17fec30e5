"""The structure of a PNG: every chunk there with its CRC, and as many bytes of pixels as the header needs."""

from __future__ import annotations

import struct
import zlib

from anymask.errors import ImageError
from anymask.images import exif
from anymask.images.container import AGAIN, Container
from anymask.images.limits import ImageLimits

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXEL_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_TRUECOLOUR, _PALETTE = 2, 3
_CHANNELS = {0: 1, _TRUECOLOUR: 3, _PALETTE: 1, 4: 2, 6: 4}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column, first row, column step and row step of each pass."""
_PIECE_BYTES = 1 << 20


def open_png(data: bytes, limits: ImageLimits) -> Container:
    """The PNG with the chunks that make pixels; text, time, profile, EXIF and animation are left out.

    Raises: ImageError for a missing chunk, a wrong CRC, too few bytes of pixels or a size over `limits`.
    """
    if data[8:16] != b"\0\0\0\rIHDR" or len(data) < 33:
        raise ImageError(f"the PNG has no whole IHDR header, it was cut or damaged; {AGAIN}")
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    limits.check_size((height, width))
    chunks = _read_chunks(data)
    kinds = [kind for kind, _, _ in chunks]
    unknown = next((kind for kind in kinds if kind[:1].isupper() and kind not in _PIXEL_CHUNKS), None)
    if unknown is not None:
        raise ImageError(f"the PNG needs the unknown chunk {unknown.decode()!r}; save it again as plain PNG")
    if colour == _PALETTE and b"PLTE" not in kinds:
        raise ImageError(f"the PNG has palette pixels and no palette, it is damaged; {AGAIN}")
    _check_pixel_bytes([body for kind, body, _ in chunks if kind == b"IDAT"], data[16:29])
    # A key colour of 16 bits cannot be compared with pixels reduced to 8; such pictures are read as opaque.
    kept = _PIXEL_CHUNKS - {b"tRNS"} if colour == _TRUECOLOUR and depth == 16 else _PIXEL_CHUNKS
    return Container(
        format="png",
        size_hw=(height, width),
        orientation=next((exif.read_orientation(body) for kind, body, _ in chunks if kind == b"eXIf"), exif.UPRIGHT),
        data=SIGNATURE + b"".join(whole for kind, _, whole in chunks if kind in kept),
    )


def _read_chunks(data: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Type, body and the whole of every chunk up to IEND; what follows is left out."""
    chunks, position = [], len(SIGNATURE)
    while True:
        kind, body = _read_chunk(data, position)
        end = position + 12 + len(body)
        chunks.append((kind, body, data[position:end]))
        if kind == b"IEND":
            return chunks
        position = end


def _check_pixel_bytes(parts: list[bytes], header: bytes) -> None:
    """Refuse pixel data that ends early: Pillow leaves the rows that are missing black."""
    expected = _count_pixel_bytes(header)
    inflater, count = zlib.decompressobj(), 0
    try:
        for part in parts:
            pending = part
            while pending and count < expected:
                count += len(inflater.decompress(pending, _PIECE_BYTES))
                pending = inflater.unconsumed_tail
        count += len(inflater.flush())
    except zlib.error as error:
        raise ImageError(f"the PNG's pixel data is damaged ({error}); {AGAIN}") from error
    if count < expected:
        raise ImageError(f"the PNG has {count:,} bytes of pixels, expected {expected:,}, it was cut; {AGAIN}")


def _count_pixel_bytes(header: bytes) -> int:
    """Bytes of all rows with their filter bytes, for one pass or the seven of Adam7.

    Source: Portable Network Graphics (third edition), sections 8.1 and 9.
    """
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", header)
    bits = depth * _CHANNELS.get(colour, 1)
    total = 0
    for x, y, step_x, step_y in _ADAM7 if interlace else ((0, 0, 1, 1),):
        columns, rows = -(-(width - x) // step_x), -(-(height - y) // step_y)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


def _read_chunk(data: bytes, position: int) -> tuple[bytes, bytes]:
    """Type and body of the chunk at `position`, its CRC checked."""
    if position + 12 > len(data):
        raise ImageError(f"the PNG ends before its IEND chunk, it was cut; {AGAIN}")
    length, kind = struct.unpack_from(">I4s", data, position)
    name = kind.decode("latin-1")
    if not (kind.isalpha() and kind.isascii()):
        raise ImageError(f"the PNG has a damaged chunk type {name!r} at byte {position}; {AGAIN}")
    end = position + 8 + length
    if end + 4 > len(data):
        raise ImageError(f"the PNG ends inside its {name} chunk, it was cut or damaged; {AGAIN}")
    body = data[position + 8 : end]
    if zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(data[end : end + 4], "big"):
        raise ImageError(f"the PNG's {name} chunk at byte {position} has a wrong CRC, the file is damaged; {AGAIN}")
    return kind, body
