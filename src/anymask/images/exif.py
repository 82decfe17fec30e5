"""The one thing we read from EXIF: which way up the picture is."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

_ORIENTATION_TAG = 0x0112
_SHORT = 3
UPRIGHT = 1


def read_orientation(block: bytes) -> int:
    """The orientation 1 to 8 that an EXIF block states; 1 (upright) where it states none or is damaged.

    `block` is the TIFF structure, with or without the `Exif\\0\\0` in front. A damaged block never refuses the picture:
    browsers show it upright too.
    """
    tiff = block.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 10:
        return UPRIGHT
    (start,) = struct.unpack_from(f"{order}I", tiff, 4)
    if start + 2 > len(tiff):
        return UPRIGHT
    (count,) = struct.unpack_from(f"{order}H", tiff, start)
    for entry in range(start + 2, min(start + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
        if tag == _ORIENTATION_TAG:
            return value if kind == _SHORT and 1 <= value <= 8 else UPRIGHT
    return UPRIGHT


def turn_upright(pixels: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """(H, W, 3) as stored -> (H, W, 3) or (W, H, 3) as it should be seen; a view, not a copy.

    Source: EXIF 2.32, tag 274: the number says where the stored first row and first column belong.
    """
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    flips_rows = orientation in (3, 4, 7, 8)
    flips_columns = orientation in (2, 3, 6, 7)
    return pixels[:: -1 if flips_rows else 1, :: -1 if flips_columns else 1]
