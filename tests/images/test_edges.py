"""Sobel and edge suppression: slopes in grey levels a pixel, ridges one pixel wide wherever they run."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from anymask.errors import ImageError
from anymask.images.edges import edge_nms, sobel


def ridge(angle: float, size: int = 61) -> np.ndarray:
    """A soft straight line through the middle, at `angle` radians from horizontal."""
    y, x = np.mgrid[:size, :size] - size // 2
    away = y * np.cos(angle) - x * np.sin(angle)
    return np.exp(-((away / 2.5) ** 2)).astype(np.float32)


def test_a_slope_has_the_length_of_its_gradient_everywhere_inside() -> None:
    y, x = np.mgrid[:9, :9]
    assert sobel(3 * x + 4 * y)[1:-1, 1:-1] == pytest.approx(5)
    assert not sobel(np.full((4, 5), 9)).any()


@pytest.mark.parametrize("angle", np.linspace(0, np.pi, 13))
def test_of_a_broad_line_only_its_middle_stays_at_every_angle(angle: float) -> None:
    kept = edge_nms(ridge(angle))
    inner = kept[12:-12, 12:-12] > 0
    middle = ridge(angle)[12:-12, 12:-12] > 0.9
    assert not (inner & ~middle).any()
    across, along = sorted((inner.any(axis=0).sum(), inner.any(axis=1).sum()))
    assert along == 37
    assert inner.sum() <= 2 * 37
    assert across >= 1


def test_what_stays_keeps_its_strength_when_nothing_is_smoothed() -> None:
    field = ridge(0.4)
    kept = edge_nms(field, smooth=False)
    assert np.array_equal(kept[kept > 0], field[kept > 0])
    kernel = np.array([1, 2, 1]) / 4
    blurred = cv2.sepFilter2D(field, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT)
    smoothed = edge_nms(field)
    assert smoothed[smoothed > 0] == pytest.approx(blurred[smoothed > 0])


def test_a_margin_above_one_keeps_more() -> None:
    noise = cv2.GaussianBlur(np.random.default_rng(0).random((50, 50)).astype(np.float32), (0, 0), 2)
    assert (edge_nms(noise, margin=1.1) > 0).sum() > (edge_nms(noise, margin=1) > 0).sum()


def test_the_border_fades() -> None:
    kept, faded = edge_nms(ridge(0)), edge_nms(ridge(0), fade_px=5)
    row = 30
    assert faded[row, :6] == pytest.approx(kept[row, :6] * np.array([0, 0.2, 0.4, 0.6, 0.8, 1]), abs=1e-6)
    assert np.array_equal(faded[row, 5:-5], kept[row, 5:-5])


def test_turning_the_picture_turns_its_ridges() -> None:
    noise = cv2.GaussianBlur(np.random.default_rng(5).random((40, 56)).astype(np.float32), (0, 0), 3)
    assert np.mean((edge_nms(noise.T) > 0) == (edge_nms(noise) > 0).T) > 0.99


def test_another_shape_is_refused() -> None:
    with pytest.raises(ImageError, match=r"expected \(H, W\)"):
        sobel(np.zeros((2, 3, 3)))
