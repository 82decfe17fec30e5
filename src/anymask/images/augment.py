"""Random views of a picture and its label maps for training: crops, scale, flips, colour."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from anymask.errors import ConfigError

Pixels = npt.NDArray[np.uint8]
LabelMap = npt.NDArray[np.uint16]
View = tuple[Pixels, list[LabelMap], tuple[int, int]]
"""Pixels (S, S, 3) uint8, label maps (S, S) uint16, and the height and width that the picture itself takes."""
_TRIES = 10
"""Crops drawn before the one in the middle is taken."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewConfig:
    """Which views are drawn. The defaults show the whole picture unchanged, as the paper trains on SA-1B."""

    whole_probability: float = 1.0
    """Share of views that show the whole picture; the others show a crop."""
    crop_fraction: tuple[float, float] = (0.4, 1.0)
    """Range (log-uniform) of a crop's sides as a share of the picture's longest side."""
    shrink_probability: float = 0.0
    """Share of views drawn smaller than the input and padded (the small half of large-scale jitter)."""
    shrink: tuple[float, float] = (0.4, 1.0)
    """Range of that size as a share of the input."""
    jitter_probability: float = 0.0
    """Share of views by large-scale jitter, in place of the crop and shrinking above: the picture is resized by a
    random factor, then cut to the input at a random place, or padded. The paper uses it on data of stages 1 and 2.
    Source: Ghiasi et al. 2021 (arXiv 2012.07177), section 3; Segment Anything, appendix A."""
    jitter: tuple[float, float] = (0.1, 2.0)
    """Range (uniform) of that factor; 1 fits the picture's longest side to the input."""
    flip_probability: float = 0.0
    """Share of views mirrored left to right."""
    colour: float = 0.0
    """Strength of brightness, contrast and saturation changes; 0.4 means factors in [0.6, 1.4]."""
    grey_probability: float = 0.0
    """Share of views without colour."""
    invert_probability: float = 0.0
    """Share of views with light and dark exchanged; helps on microscopy, which is not trained on."""

    def __post_init__(self) -> None:
        names = (
            "whole_probability",
            "shrink_probability",
            "jitter_probability",
            "flip_probability",
            "grey_probability",
            "invert_probability",
        )
        for name in names:
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"ViewConfig.{name} must be in [0, 1], got {getattr(self, name)}")
        for name in ("crop_fraction", "shrink"):
            low, high = getattr(self, name)
            if not 0 < low <= high <= 1:
                raise ConfigError(f"ViewConfig.{name} must be an increasing pair in (0, 1], got {(low, high)}")
        low, high = self.jitter
        if not 0 < low <= high < float("inf"):
            raise ConfigError(f"ViewConfig.jitter must be an increasing pair above 0, got {(low, high)}")
        if not 0 <= self.colour < 1:
            raise ConfigError(f"ViewConfig.colour must be in [0, 1), got {self.colour}")


@dataclass(frozen=True, kw_only=True, slots=True)
class SquareConfig:
    """Which square views are drawn; the defaults are those of MAE (He et al. 2021, arXiv 2111.06377)."""

    area: tuple[float, float] = (0.2, 1.0)
    """Range of a crop's area as a share of the picture's."""
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    """Range (log-uniform) of a crop's width over its height, before it is made square."""
    flip_probability: float = 0.5
    """Share of views mirrored left to right."""

    def __post_init__(self) -> None:
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise ConfigError(f"SquareConfig.area must be an increasing pair in (0, 1], got {self.area}")
        if not 0 < self.aspect[0] <= self.aspect[1]:
            raise ConfigError(f"SquareConfig.aspect must be an increasing pair above 0, got {self.aspect}")
        if not 0 <= self.flip_probability <= 1:
            raise ConfigError(f"SquareConfig.flip_probability must be in [0, 1], got {self.flip_probability}")


def random_square(pixels: Pixels, size: int, config: SquareConfig, rng: np.random.Generator) -> Pixels:
    """(size, size, 3) uint8: a random crop of the (H, W, 3) picture stretched to a square, nothing padded.

    A crop that does not fit the picture is drawn again; after ten times the largest crop of an allowed aspect in the
    middle is taken, as the common "random resized crop" does.
    """
    left, top, width, height = _square_crop(pixels.shape[0], pixels.shape[1], config, rng)
    crop = pixels[top : top + height, left : left + width]
    if rng.random() < config.flip_probability:
        crop = crop[:, ::-1]
    method = cv2.INTER_AREA if max(width, height) > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(np.ascontiguousarray(crop), (size, size), interpolation=method), np.uint8)


def _square_crop(height: int, width: int, config: SquareConfig, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Left, top, width and height in original pixels."""
    for _ in range(_TRIES):
        area = height * width * rng.uniform(*config.area)
        aspect = float(np.exp(rng.uniform(*np.log(config.aspect))))
        crop_w, crop_h = round(float(np.sqrt(area * aspect))), round(float(np.sqrt(area / aspect)))
        if 0 < crop_w <= width and 0 < crop_h <= height:
            return int(rng.integers(width - crop_w + 1)), int(rng.integers(height - crop_h + 1)), crop_w, crop_h
    aspect = min(max(width / height, config.aspect[0]), config.aspect[1])
    crop_w, crop_h = min(width, max(1, round(height * aspect))), min(height, max(1, round(width / aspect)))
    return (width - crop_w) // 2, (height - crop_h) // 2, crop_w, crop_h


def random_view(pixels: Pixels, maps: list[LabelMap], size: int, config: ViewConfig, rng: np.random.Generator) -> View:
    """One view, resized and padded bottom/right to (size, size) with zeros.

    Returns pixels (size, size, 3) uint8, the maps (size, size) uint16 (nearest neighbour; padding is label 0), and the
    height and width that the picture itself takes. Every label of a view is one of the label map given: 0, nobody said,
    stays 0.
    """
    # Nothing is drawn for a probability of 0, so that views without jitter are what they were before there was any.
    jittered = config.jitter_probability > 0 and rng.random() < config.jitter_probability
    if jittered:
        scale = rng.uniform(*config.jitter) * size / max(pixels.shape[:2])
        left, top, right, bottom = _cut(pixels.shape[0], pixels.shape[1], size / scale, rng)
    else:
        left, top, right, bottom = _crop(pixels.shape[0], pixels.shape[1], config, rng)
    pixels, maps = pixels[top:bottom, left:right], [m[top:bottom, left:right] for m in maps]
    if rng.random() < config.flip_probability:
        pixels, maps = pixels[:, ::-1], [m[:, ::-1] for m in maps]
    if not jittered:
        shrunk = rng.random() < config.shrink_probability
        target = max(32, round(size * rng.uniform(*config.shrink))) if shrunk else size
        scale = target / max(pixels.shape[:2])
    height, width = (min(size, max(1, round(side * scale))) for side in pixels.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = np.asarray(cv2.resize(np.ascontiguousarray(pixels), (width, height), interpolation=method), np.uint8)
    resized = _recolour(resized, config, rng)
    view = np.zeros((size, size, 3), np.uint8)
    view[:height, :width] = resized
    view_maps = []
    for label_map in maps:
        padded = np.zeros((size, size), np.uint16)
        padded[:height, :width] = cv2.resize(
            np.ascontiguousarray(label_map), (width, height), interpolation=cv2.INTER_NEAREST
        )
        view_maps.append(padded)
    return view, view_maps, (height, width)


def _crop(height: int, width: int, config: ViewConfig, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the view in original pixels."""
    if rng.random() < config.whole_probability:
        return 0, 0, width, height
    low, high = np.log(config.crop_fraction)
    side = max(height, width) * float(np.exp(rng.uniform(low, high)))
    stretch = float(np.exp(rng.uniform(-0.3, 0.3)))
    crop_w, crop_h = min(width, max(16, round(side * stretch))), min(height, max(16, round(side / stretch)))
    left, top = int(rng.integers(width - crop_w + 1)), int(rng.integers(height - crop_h + 1))
    return left, top, left + crop_w, top + crop_h


def _cut(height: int, width: int, side: float, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of a window of at most `side` original pixels a side, at a random place."""
    cut_h, cut_w = (min(length, max(1, round(side))) for length in (height, width))
    left, top = int(rng.integers(width - cut_w + 1)), int(rng.integers(height - cut_h + 1))
    return left, top, left + cut_w, top + cut_h


def _recolour(pixels: Pixels, config: ViewConfig, rng: np.random.Generator) -> Pixels:
    """Brightness, contrast, saturation, grey and inversion in one pass of float32."""
    strength, grey, invert = (
        config.colour,
        rng.random() < config.grey_probability,
        rng.random() < config.invert_probability,
    )
    if strength == 0 and not grey and not invert:
        return pixels
    brightness, contrast, saturation = rng.uniform(1 - strength, 1 + strength, 3)
    values = pixels.astype(np.float32)
    luma = values @ np.array([0.299, 0.587, 0.114], np.float32)
    values = luma[..., None] + (values - luma[..., None]) * np.float32(0.0 if grey else saturation)
    mean = float(luma.mean())
    values = (mean + (values - mean) * np.float32(contrast)) * np.float32(brightness)
    if invert:
        values = 255 - values
    return np.asarray(np.clip(values, 0, 255), np.uint8)
