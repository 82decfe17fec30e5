"""The structure of a GIF: its blocks up to the trailer. It carries no checksum; only what is missing can be told."""

from __future__ import annotations

import struct

from anymask.errors import ImageError
from anymask.images import exif
from anymask.images.container import AGAIN, Container
from anymask.images.limits import ImageLimits


def open_gif(data: bytes, limits: ImageLimits) -> Container:
    """The GIF with its first picture only; the others are checked to be there and left out.

    Raises: ImageError for a missing trailer, a damaged block or a size over `limits`.
    """
    cut = ImageError(f"the GIF ends before its trailer, it was cut; {AGAIN}")
    if len(data) < 13:
        raise cut
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    limits.check_size((height, width))
    position = 13 + _table_bytes(flags)
    first_end = 0
    while position < len(data):
        kind = data[position]
        if kind == 0x3B and first_end:
            return Container(
                format="gif", size_hw=(height, width), orientation=exif.UPRIGHT, data=data[:first_end] + b";"
            )
        if kind == 0x21:
            position = _skip_blocks(data, position + 2)
        elif kind == 0x2C and position + 10 <= len(data):
            _check_frame(data, position, (height, width))
            position = _skip_blocks(data, position + 11 + _table_bytes(data[position + 9]))
            first_end = first_end or position
        elif kind in (0x2C, 0x3B):
            break
        else:
            raise ImageError(f"the GIF has an unknown block {kind:#04x} at byte {position}, it is damaged; {AGAIN}")
        if position > len(data):
            break
    raise cut


def _table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _check_frame(data: bytes, position: int, size_hw: tuple[int, int]) -> None:
    left, top, width, height = struct.unpack_from("<HHHH", data, position + 1)
    if left + width > size_hw[1] or top + height > size_hw[0] or 0 in (width, height):
        raise ImageError(
            f"the GIF has a {width} x {height} frame at ({left}, {top}) that does not fit its "
            f"{size_hw[1]} x {size_hw[0]} pixels, it is damaged; {AGAIN}"
        )


def _skip_blocks(data: bytes, position: int) -> int:
    """The byte after a chain of sub-blocks; past the end of `data` where the chain has no end."""
    while position < len(data):
        length = data[position]
        position += 1 + length
        if length == 0:
            return position
    return len(data) + 1
