"""ADE20K's full form: NAME.jpg with NAME_seg.png beside it, a colour a pixel that names class and instance.

Red and green hold the class (red // 10 * 256 + green), blue the instance by a value of its own; what has class 0 nobody
named. Parts (NAME_parts_K.png) are instances of their own level; the paper counts objects, and so do we.

Source: the index of ADE20K 2021_17_01, `loadAde20K` in its public code (groups.csail.mit.edu/vision/datasets/ADE20K).
"""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from anymask.errors import ImageError, MaskError
from anymask.images.limits import ImageLimits
from anymask.images.sniff import open_container
from anymask.masks.sets import set_from_label_map
from anymask.masks.types import MaskSet

SEGMENTATION = "_seg.png"
"""End of the name of a picture's masks."""


def from_ade20k(data: bytes) -> MaskSet:
    """One mask for each instance of a `_seg.png` file, in rising order of class, then instance.

    Raises: MaskError when it is no whole RGB PNG.
    """
    try:
        container = open_container(data, ImageLimits())
        if container.format != "png":
            raise MaskError(f"ADE20K's masks are a PNG, this is a {container.format.upper()}")
        with Image.open(io.BytesIO(container.data), formats=["PNG"]) as image:
            mode, pixels = image.mode, np.asarray(image)
    except (ImageError, OSError, SyntaxError, ValueError) as error:
        raise MaskError(f"the masks cannot be read: {error}") from error
    if mode != "RGB":
        raise MaskError(f"ADE20K's masks are an RGB PNG, this has mode {mode}")
    return set_from_label_map(_instances(pixels))


def _instances(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """(H, W) a number for each class and instance, 0 where no class is named."""
    red, green, blue = (pixels[..., channel].astype(np.int64) for channel in range(3))
    classes = red // 10 * 256 + green
    return np.where(classes > 0, classes * 256 + blue, 0)
