"""Edge strength of a grey picture, and its ridges: the lines where strength is highest across the line."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from anymask.errors import ImageError

Floats = npt.NDArray[np.float32]

_BLUR = np.array([0.25, 0.5, 0.25], np.float32)
_ORIENTATION_RADIUS = 4
"""Half width of the triangle filter under which the direction of a line is measured, in pixels."""


def sobel(values: npt.ArrayLike) -> Floats:
    """(H, W) float32: length of the Sobel gradient of an (H, W) picture, in its units a pixel; edges go on outside.

    >>> sobel([[0.0, 0.0, 1.0, 1.0]] * 3)[1].tolist()
    [0.0, 0.5, 0.5, 0.0]

    Raises: ImageError for another shape.
    """
    field = _check_field(values)
    across, down = (
        cv2.Sobel(field, cv2.CV_32F, dx, dy, ksize=3, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
        for dx, dy in ((1, 0), (0, 1))
    )
    return np.asarray(cv2.magnitude(across, down))


def edge_nms(strength: npt.ArrayLike, *, smooth: bool = True, margin: float = 1.01, fade_px: int = 0) -> Floats:
    """(H, W) float32: `strength` where it is a ridge, 0 elsewhere.

    A pixel stays when its strength, times `margin`, is not below that one pixel away on either side, across the line it
    lies on. It is crossed where curvature, up or down, is strongest under a triangle filter nine pixels wide.
    With `smooth` the strength is first blurred by [1 2 1] in both directions; `fade_px` weakens it towards the
    picture's border over so many pixels.

    Source: Canny, "A Computational Approach to Edge Detection", PAMI 1986; blur, margin and filter as in Dollár and
    Zitnick, "Fast Edge Detection Using Structured Forests", PAMI 2015, whose form of it published edge maps went
    through (there `fade_px` is 5).

    Raises: ImageError for another shape.
    """
    field = _check_field(strength)
    if smooth:
        field = _triangle(field, _BLUR)
    across_x, across_y = _line_normals(field)
    height, width = field.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    is_ridge = field > 0
    for side in (-1, 1):
        beside = cv2.remap(
            field, x + side * across_x, y + side * across_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        is_ridge &= field * np.float32(margin) >= beside
    ridges = np.where(is_ridge, field, np.float32(0))
    return ridges * _fade(height, fade_px)[:, None] * _fade(width, fade_px) if fade_px else ridges


def _line_normals(field: Floats) -> tuple[Floats, Floats]:
    """Unit (x, y) in which the field bends most, at every pixel."""
    rising = np.arange(1, _ORIENTATION_RADIUS + 2, dtype=np.float32)
    kernel = np.concatenate([rising, rising[-2::-1]]) / rising[-1] ** 2
    down, across = np.gradient(_triangle(field, kernel))
    xy, xx = np.gradient(across)
    yy = np.gradient(down, axis=0)
    # Half of this arc tangent is the axis of highest curvature, at right angles to it is that of lowest. On a ridge the
    # lowest is the stronger one, on its flanks the highest is, and both cross the line.
    angle = (np.arctan2(2 * xy, xx - yy) + np.where(xx + yy < 0, np.pi, 0)) / 2
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def _triangle(field: Floats, kernel: Floats) -> Floats:
    return np.asarray(cv2.sepFilter2D(field, cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REFLECT))


def _fade(length: int, fade_px: int) -> Floats:
    """(length,) 0 at both ends, rising to 1 over `fade_px` pixels."""
    place = np.arange(length)
    return np.minimum(np.minimum(place, place[::-1]) / fade_px, 1).astype(np.float32)


def _check_field(values: npt.ArrayLike) -> Floats:
    field = np.asarray(values, np.float32)
    if field.ndim != 2 or field.size == 0:
        raise ImageError(f"edge strength has shape {field.shape}, expected (H, W) with at least one pixel")
    return np.ascontiguousarray(field)
