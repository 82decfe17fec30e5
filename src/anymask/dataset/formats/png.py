"""16-bit PNG label maps: 0 background, 1..n one mask each.

A label map holds one mask a pixel. Where masks overlap the smaller one is on top (`anymask.masks.sets.to_label_map`),
so parts show on their wholes and what lies under them is lost: write SA-1B or COCO JSON to keep overlaps.
"""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from anymask.errors import ImageError, MaskError
from anymask.images.limits import ImageLimits
from anymask.images.sniff import open_container
from anymask.masks.sets import set_from_label_map, to_label_map
from anymask.masks.types import MaskSet

MAX_PIXELS = 2**26
"""Most pixels of a label map that is read, 67 million; a header that claims more is refused before it is unpacked."""
_INTEGER_MODES = {"1", "L", "P", "I;16", "I;16L", "I;16B", "I"}
"""Pillow's modes that hold one whole number a pixel; a palette file is read as its indices."""


def to_png(masks: MaskSet) -> bytes:
    """The PNG file of the masks' label map.

    Raises: MaskError for more than 65,535 masks or a malformed one.
    """
    return encode_labels(to_label_map(masks))


def from_png(data: bytes) -> MaskSet:
    """One mask for each label of a PNG label map.

    Raises: MaskError as `decode_labels` does.
    """
    return set_from_label_map(decode_labels(data))


def encode_labels(labels: npt.NDArray[np.uint16]) -> bytes:
    """The 16-bit grey PNG file of (H, W) uint16 labels."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(labels, np.uint16)).save(file, "PNG")
    return file.getvalue()


def decode_labels(data: bytes) -> npt.NDArray[np.uint16]:
    """(H, W) uint16 labels of an 8- or 16-bit grey or palette PNG file.

    Raises: MaskError when it is no PNG, damaged, cut off, too large, or coloured.
    """
    try:
        # Structure, checksums and size first: Pillow alone takes a file whose end is missing.
        container = open_container(data, ImageLimits(max_pixels=MAX_PIXELS))
        if container.format != "png":
            raise MaskError(
                f"a label map must be a PNG file, this is a {container.format.upper()}; lossy forms change labels"
            )
        with Image.open(io.BytesIO(container.data), formats=["PNG"]) as image:
            mode, labels = image.mode, np.asarray(image)
    except (ImageError, OSError, SyntaxError, ValueError) as error:
        raise MaskError(f"the label map cannot be read: {error}") from error
    if mode not in _INTEGER_MODES:
        raise MaskError(
            f"the label map PNG has mode {mode}, expected one 8- or 16-bit grey or palette channel, one number a pixel"
        )
    # Pillow may hold a 16-bit channel in 32 bits.
    return labels.astype(np.uint16)
