"""Pictures as they go into a dataset: JPEG, upright, without metadata; and made smaller together with their masks."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from anymask.errors import ConfigError
from anymask.images import exif
from anymask.images.limits import ImageLimits
from anymask.images.load import load_image
from anymask.images.sniff import open_container
from anymask.masks import rle as rles
from anymask.masks.sets import set_from_rles
from anymask.masks.types import MaskSet

QUALITY = 95
"""Of a picture that has to be encoded anew; colour is kept at full size."""
SHORTEST_SIDE = 1500
"""Source: paper, section 5, "Image release"."""

Pixels = npt.NDArray[np.uint8]


def encode_jpeg(pixels: Pixels) -> bytes:
    """The JPEG file of (H, W, 3) uint8 RGB, without metadata."""
    data: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), QUALITY, "RGB", "444")
    return data


def as_jpeg(data: bytes, pixels: Pixels | None = None) -> bytes:
    """The picture file `data` as an upright RGB JPEG without metadata.

    A JPEG that is upright already keeps its pixels bit by bit: only EXIF, GPS, comments, profiles and thumbnails go.
    Anything else is encoded anew. `pixels` are its decoded ones, where they are known.

    Raises: ImageError when it is no whole, allowed picture.
    """
    container = open_container(data, ImageLimits())
    if container.format == "jpeg" and container.orientation == exif.UPRIGHT and _has_three_colours(container.data):
        return container.data
    return encode_jpeg(load_image(data).pixels if pixels is None else pixels)


def _has_three_colours(data: bytes) -> bool:
    """Whether every reader gives a JPEG the same three channels: not grey, not CMYK."""
    colours: str = simplejpeg.decode_jpeg_header(data)[2]
    return colours in ("YCbCr", "RGB")


def shrink(pixels: Pixels, masks: MaskSet, shortest_side: int) -> tuple[Pixels, MaskSet, npt.NDArray[np.int64]]:
    """Picture and masks with a shortest side of at most `shortest_side` px, and which masks are left (M,) int64.

    Pixels are averaged over the area they stand for; a mask keeps the pixels whose middle it covers. Masks that vanish
    are left out. A picture that is small enough stays as it is.

    Raises: ConfigError for a side below 1.
    """
    if shortest_side < 1:
        raise ConfigError(f"the shortest side is to be {shortest_side} px, expected 1 or more")
    height, width = masks.size_hw
    if min(height, width) <= shortest_side:
        return pixels, masks, np.arange(len(masks))
    scale = shortest_side / min(height, width)
    new_hw = (max(1, round(height * scale)), max(1, round(width * scale)))
    smaller = np.asarray(cv2.resize(pixels, new_hw[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    resized = [rles.encode(nearest_mask(rles.decode(mask), new_hw)) for mask in masks.rles]
    factor = np.array([new_hw[1] / width, new_hw[0] / height], np.float32)
    every = set_from_rles(
        resized,
        new_hw,
        predicted_iou=masks.predicted_iou,
        stability=masks.stability,
        points_xy=masks.points_xy * factor,
        crop_boxes_xyxy=masks.crop_boxes_xyxy * np.tile(factor, 2),
    )
    kept = np.flatnonzero(every.area_px > 0)
    return smaller, every.take(kept), kept


def nearest_mask(mask: npt.NDArray[np.bool_], size_hw: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """(h, w) bool: of each new pixel, the old one of the (H, W) mask under its middle.

    >>> nearest_mask(np.array([[True, True, False, False]]), (1, 2)).tolist()
    [[True, False]]
    """
    rows, columns = (
        np.minimum(((np.arange(new) + 0.5) * old / new).astype(np.int64), old - 1)
        for new, old in zip(size_hw, mask.shape, strict=True)
    )
    return np.asarray(mask[rows[:, None], columns[None, :]])
