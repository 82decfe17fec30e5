"""Edge maps as PNG files, the form in which benchmarks exchange them: grey, black is no edge, white the surest."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from anymask.errors import DatasetError, ImageError
from anymask.images.limits import ImageLimits
from anymask.images.sniff import open_container

MAX_PIXELS = 2**26
"""Most pixels of an edge map that is read, 67 million; a header that claims more is refused before it is unpacked."""
_WHITE = {"1": 1.0, "L": 255.0, "I;16": 65535.0, "I;16B": 65535.0, "I;16L": 65535.0, "I": 65535.0}
"""The value of white in each of Pillow's grey modes."""


def encode_edges(strength: npt.NDArray[np.floating]) -> bytes:
    """The 8-bit grey PNG file of an (H, W) edge map of [0, 1]."""
    file = io.BytesIO()
    Image.fromarray(np.rint(np.clip(strength, 0, 1) * 255).astype(np.uint8)).save(file, "PNG", optimize=True)
    return file.getvalue()


def decode_edges(data: bytes, where: str) -> npt.NDArray[np.float64]:
    """(H, W) float64 of [0, 1] from a 1-, 8- or 16-bit grey PNG file, or a coloured one whose channels are equal.

    Raises: DatasetError when it is no PNG, damaged, cut off, too large, or really coloured.
    """
    try:
        container = open_container(data, ImageLimits(max_pixels=MAX_PIXELS))
        if container.format != "png":
            raise DatasetError(f"{where} is a {container.format.upper()} file, expected PNG: lossy forms change edges")
        with Image.open(io.BytesIO(container.data), formats=["PNG"]) as image:
            mode, values = image.mode, np.asarray(image.convert("RGB") if image.mode in ("P", "RGBA") else image)
    except (ImageError, OSError, SyntaxError, ValueError) as error:
        raise DatasetError(f"{where} cannot be read: {error}") from error
    if values.ndim == 3:
        if mode == "LA" or (values != values[:, :, :1]).any():
            raise DatasetError(f"{where} is a coloured picture, expected a grey edge map")
        mode, values = "L", values[:, :, 0]
    if mode not in _WHITE:
        raise DatasetError(f"{where} has mode {mode}, expected a 1-, 8- or 16-bit grey PNG")
    return values.astype(np.float64) / _WHITE[mode]
