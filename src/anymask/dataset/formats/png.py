"""16-bit PNG label maps: 0 background, 1..n one mask each.

A label map holds one mask a pixel. Where masks overlap the smaller one is on top (`anymask.masks.sets.to_label_map`),
so parts show on their wholes and what lies under them is lost: write SA-1B or COCO JSON to keep overlaps.
"""

from __future__ import annotations

import io
import warnings

import numpy as np
import numpy.typing as npt
from PIL import Image

from anymask.errors import MaskError
from anymask.masks.sets import set_from_label_map, to_label_map
from anymask.masks.types import MaskSet
from anymask.masks.validate import check_size

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


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
    if not data.startswith(_SIGNATURE):
        raise MaskError("a label map must be a PNG file; these bytes are something else")
    try:
        with warnings.catch_warnings():
            # The size is checked here, before any pixel is unpacked.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=["PNG"])
        check_size([image.height, image.width])
        image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, MaskError):
            raise
        raise MaskError(f"the label map PNG is damaged or too large: {error}") from error
    if image.mode not in ("L", "P", "I;16", "I", "1"):
        raise MaskError(f"the label map PNG has mode {image.mode}, expected one 8- or 16-bit grey or palette channel")
    labels = np.asarray(image)
    return labels.astype(np.uint16)
