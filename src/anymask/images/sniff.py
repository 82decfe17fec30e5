"""Which format a file is, told by its content.

Nothing here or in the modules of the formats decodes a pixel, so a file that lies about its size is refused in
milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable

from anymask.errors import ImageError
from anymask.images import gif, jpeg, png, webp
from anymask.images.container import Container
from anymask.images.limits import ImageLimits

ALLOWED = "JPEG, PNG, WebP or GIF"
SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif"}
"""How files of each media type end."""
_Open = Callable[[bytes, ImageLimits], Container]


def open_container(data: bytes, limits: ImageLimits) -> Container:
    """The structure of the image file `data`.

    Raises: ImageError for a format that is not allowed, a file that is cut or damaged, or a size over `limits`.
    """
    return _recognise(data)[1](data, limits)


def media_type_of(start: bytes) -> str:
    """One of `SUFFIXES`, told by the first bytes of a file (16 are enough); the rest may still be damaged.

    >>> media_type_of(b"GIF89a..........")
    'image/gif'

    Raises: ImageError for a format that is not allowed.
    """
    return _recognise(start)[0]


def _recognise(data: bytes) -> tuple[str, _Open]:
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg", jpeg.open_jpeg
    if data.startswith(png.SIGNATURE):
        return "image/png", png.open_png
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp", webp.open_webp
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif", gif.open_gif
    raise ImageError(f"the content is {_name_content(data)}, expected {ALLOWED}; convert it, for example to PNG")


def _name_content(data: bytes) -> str:
    """A person's word for content we do not read, so that the message helps with a wrong file ending."""
    starts = {
        b"II*\0": "TIFF (or a camera's raw format)",
        b"MM\0*": "TIFF (or a camera's raw format)",
        b"BM": "BMP",
        b"%PDF": "PDF",
        b"8BPS": "a Photoshop document",
        b"PK\x03\x04": "a zip archive",
        b"\x1f\x8b": "gzip data",
        b"\xff\x0a": "JPEG XL",
        b"\x89PNG": "a PNG whose signature is damaged",
    }
    for start, name in starts.items():
        if data.startswith(start):
            return name
    if data[4:8] == b"ftyp":
        return "AVIF or HEIC" if data[8:12] in (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1") else "a video"
    text = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in text:
        return "SVG"
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "an HTML page"
    if text.startswith(b"<"):
        return "XML"
    return f"not a known picture format (first bytes {data[:8].hex(' ')})"
