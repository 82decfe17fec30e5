"""Pixels as bytes of a file format: the form in which pictures leave the program."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from anymask.errors import ImageError

Pixels = npt.NDArray[np.uint8]
"""(H, W, 3) uint8 RGB."""


def check_pixels(pixels: Pixels) -> None:
    """Refuse anything but (H, W, 3) uint8 with at least one pixel.

    Raises: ImageError.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or pixels.size == 0:
        raise ImageError(
            f"a picture to draw on has shape {pixels.shape} and type {pixels.dtype}, expected (H, W, 3) uint8 RGB; "
            "images.load.load_image gives this form"
        )


def encode(pixels: Pixels, form: Literal["png", "jpeg"] = "png") -> bytes:
    """The bytes of a PNG (lossless) or JPEG (quality 90) file of `pixels`, without metadata.

    Raises: ImageError for anything but (H, W, 3) uint8.
    """
    check_pixels(pixels)
    buffer = io.BytesIO()
    if form == "png":
        Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    else:
        Image.fromarray(pixels).save(buffer, "JPEG", quality=90, optimize=True)
    return buffer.getvalue()
