"""Masks and prompts painted over the picture they belong to."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from anymask.errors import MaskError
from anymask.figures.pictures import Pixels, check_pixels
from anymask.masks.rle import decode
from anymask.masks.types import MaskSet
from anymask.prompts.types import FOREGROUND, Prompt

Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]

_GOLDEN_RATIO = 0.6180339887498949
_FOREGROUND_RGB, _BACKGROUND_RGB, _RIM_RGB = (34, 197, 94), (239, 68, 68), (255, 255, 255)
_SUBPIXEL_BITS = 4
"""OpenCV draws at 1/16 of a pixel with this shift, so that a point at (10.5, 20.5) is drawn there."""


def palette(count: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """(count, 3) uint8 RGB colours; neighbours in the list differ strongly, colour i is the same for every `count`.

    Hues step by the golden angle, so that any number of them is spread evenly; brightness alternates as well.
    """
    start = (seed * 0.27 + 0.58) % 1.0
    colours = [
        colorsys.hsv_to_rgb((start + i * _GOLDEN_RATIO) % 1.0, (0.75, 0.95, 0.6)[i % 3], (1.0, 0.85, 0.95)[i % 3])
        for i in range(count)
    ]
    return (np.array(colours, np.float64).reshape(count, 3) * 255).round().astype(np.uint8)


def overlay(
    pixels: Pixels,
    masks: MaskSet | Sequence[Mask],
    *,
    prompts: Sequence[Prompt] = (),
    alpha: float = 0.45,
    outline: bool = True,
    seed: int = 0,
) -> Pixels:
    """(H, W, 3) uint8: the picture with each mask tinted and outlined in its own colour, and the prompts on top.

    A pixel takes the colour of the smallest mask that covers it, so a part stays visible on its whole.
    `alpha` is the tint's share, 0 (outlines only) to 1. Points are green (foreground) or red (background) dots,
    boxes are green. Mask i keeps colour i of `palette` whatever is drawn beside it.

    Raises: ImageError for a picture that is not (H, W, 3) uint8; MaskError for a mask of another size.
    """
    check_pixels(pixels)
    colours = palette(len(masks), seed)
    tint, border = _labels(masks, (pixels.shape[0], pixels.shape[1]))
    table = np.concatenate([np.zeros((1, 3), np.uint8), colours])
    blended = cv2.addWeighted(pixels, 1 - alpha, table[tint], alpha, 0)
    painted = np.where(tint[..., None] > 0, blended, pixels)
    if outline:
        painted = np.where(border[..., None] > 0, table[border], painted)
    for prompt in prompts:
        _draw_prompt(painted, prompt)
    return painted


def outside_dimmed(pixels: Pixels, mask: Mask, keep: float = 0.3) -> Pixels:
    """(H, W, 3) uint8: the picture with everything outside `mask` darkened to `keep` of its brightness and greyed."""
    check_pixels(pixels)
    inside = _checked(mask, 0, (pixels.shape[0], pixels.shape[1]))
    grey = pixels.mean(axis=2, keepdims=True) * keep
    dimmed = np.where(inside[..., None], pixels, grey).round().astype(np.uint8)
    window, border = _border(inside)
    dimmed[window][border] = _RIM_RGB
    return dimmed


def _checked(mask: Mask, index: int, size_hw: tuple[int, int]) -> Mask:
    array: Mask = np.asarray(mask) != 0
    if array.shape != size_hw:
        raise MaskError(
            f"mask {index} has shape {array.shape}, the picture has {size_hw}; "
            "draw masks on the picture they were made for, at its original size"
        )
    return array


def _labels(masks: MaskSet | Sequence[Mask], size_hw: tuple[int, int]) -> tuple[Labels, Labels]:
    """(H, W) twice: 1 + the smallest mask at each pixel, and 1 + the smallest mask whose border passes there; 0 none.

    One mask is decoded at a time: a thousand of a large picture would not fit in memory together.
    """
    if isinstance(masks, MaskSet):
        areas = masks.area_px
    else:
        areas = np.array([np.count_nonzero(mask) for mask in masks], np.int64)
    tint, border = np.zeros(size_hw, np.int32), np.zeros(size_hw, np.int32)
    for i in np.argsort(-areas, kind="stable"):
        mask = _checked(decode(masks.rles[i]) if isinstance(masks, MaskSet) else masks[i], int(i), size_hw)
        tint[mask] = i + 1
        window, edge = _border(mask)
        border[window][edge] = i + 1
    return tint, border


def _line_px(size_hw: tuple[int, int]) -> int:
    """A line width that looks alike on small and large pictures."""
    return max(1, round(min(size_hw) / 360))


def _border(mask: Mask) -> tuple[tuple[slice, slice], Mask]:
    """The window of the mask's own box, and inside it the mask's border as bool; both empty for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return (slice(0, 0), slice(0, 0)), np.zeros((0, 0), np.bool_)
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    inside = np.pad(mask[window], 1).astype(np.uint8)
    core = cv2.erode(inside, np.ones((3, 3), np.uint8), iterations=_line_px((mask.shape[0], mask.shape[1])))
    return window, (inside > core)[1:-1, 1:-1]


def _draw_prompt(picture: Pixels, prompt: Prompt) -> None:
    line = max(2, 2 * _line_px((picture.shape[0], picture.shape[1])))
    if prompt.box_xyxy is not None:
        x0, y0, x1, y1 = (round(float(value)) for value in prompt.box_xyxy)
        corners = (x0, y0), (max(x0, x1 - 1), max(y0, y1 - 1))
        cv2.rectangle(picture, *corners, _RIM_RGB, line + 2, cv2.LINE_AA)
        cv2.rectangle(picture, *corners, _FOREGROUND_RGB, line, cv2.LINE_AA)
    if prompt.points_xy is None or prompt.labels is None:
        return
    unit = 1 << _SUBPIXEL_BITS
    for (x, y), label in zip(prompt.points_xy, prompt.labels, strict=True):
        centre = (round(float(x) * unit), round(float(y) * unit))
        colour = _FOREGROUND_RGB if label == FOREGROUND else _BACKGROUND_RGB
        for radius, fill in ((3 * line, _RIM_RGB), (3 * line - max(1, line // 2), colour)):
            cv2.circle(picture, centre, radius * unit, fill, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)
