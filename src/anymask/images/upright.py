"""A picture as a file to show and pass on: upright, without metadata, with the pixels that the gate gives.

EXIF, GPS, comments, thumbnails and colour profiles are gone. A JPEG that is upright as it is keeps its coded data; all
else is written anew without loss.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image, JpegImagePlugin

from anymask.images.exif import UPRIGHT
from anymask.images.limits import ImageLimits
from anymask.images.load import LoadedImage
from anymask.images.sniff import open_container

_WEBP_SIDE = 16_383
"""Longest side of a WebP."""
_SHOWN_ALIKE = ("L", "RGB")
"""Pillow's modes of JPEGs that every browser shows with the same pixels; CMYK is not among them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UprightFile:
    """An encoded picture."""

    data: bytes
    media_type: str
    """image/jpeg, image/webp (lossless) or image/png; `sniff.SUFFIXES` says how its file ends."""


def to_upright_file(data: bytes, loaded: LoadedImage, limits: ImageLimits | None = None) -> UprightFile:
    """The file of `loaded`, which came from the file `data`.

    Raises: ImageError when `data` is no picture.
    """
    container = open_container(data, limits or ImageLimits())
    if container.format == "jpeg" and container.orientation == UPRIGHT:
        with JpegImagePlugin.JpegImageFile(io.BytesIO(container.data)) as opened:
            if opened.mode in _SHOWN_ALIKE:
                return UprightFile(data=container.data, media_type="image/jpeg")
    return encode_lossless(loaded)


def encode_lossless(loaded: LoadedImage) -> UprightFile:
    """The pixels without loss: WebP, or PNG where a side is too long for it."""
    picture, file = Image.fromarray(loaded.pixels), io.BytesIO()
    if max(loaded.size_hw) <= _WEBP_SIDE:
        # The lowest effort: half the size of PNG at a tenth of the time that the highest takes.
        picture.save(file, "WEBP", lossless=True, quality=0, method=0)
        return UprightFile(data=file.getvalue(), media_type="image/webp")
    picture.save(file, "PNG", compress_level=1)
    return UprightFile(data=file.getvalue(), media_type="image/png")


def encode_thumbnail(loaded: LoadedImage, side: int = 256) -> bytes:
    """A WebP of at most `side` pixels a side."""
    picture, file = Image.fromarray(loaded.pixels), io.BytesIO()
    picture.thumbnail((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    picture.save(file, "WEBP", quality=80)
    return file.getvalue()
