"""Coordinate frames: *original* pixels, *input* pixels (longest side resized, then padded), and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Frame:
    """How one picture sits in the model's square input.

    >>> frame = Frame.fit((480, 640), 1024)
    >>> frame.resized_hw
    (768, 1024)
    >>> frame.to_input_xy(np.array([[320.0, 240.0]])).tolist()
    [[512.0, 384.0]]
    """

    original_hw: tuple[int, int]
    resized_hw: tuple[int, int]
    """Height and width inside the input, before padding."""
    input_size: int
    """Side of the padded square input in pixels."""

    @staticmethod
    def fit(original_hw: tuple[int, int], input_size: int) -> Frame:
        """The frame that puts the longest side at `input_size`; rounding as in the public ResizeLongestSide."""
        height, width = original_hw
        scale = input_size / max(height, width)
        # An extreme picture (1 x 5000) must keep at least one pixel on its short side.
        resized = (max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5)))
        return Frame(original_hw, resized, input_size)

    def _scale_xy(self) -> tuple[float, float]:
        return self.resized_hw[1] / self.original_hw[1], self.resized_hw[0] / self.original_hw[0]

    def to_input_xy(self, points_xy: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """(..., 2) original pixels -> (..., 2) input pixels, float32."""
        return (np.asarray(points_xy, np.float64) * self._scale_xy()).astype(np.float32)

    def to_original_xy(self, points_xy: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """(..., 2) input pixels -> (..., 2) original pixels, float32."""
        return (np.asarray(points_xy, np.float64) / self._scale_xy()).astype(np.float32)

    def to_input_boxes(self, boxes_xyxy: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """(..., 4) original pixels -> (..., 4) input pixels, float32."""
        boxes = np.asarray(boxes_xyxy)
        return self.to_input_xy(boxes.reshape(*boxes.shape[:-1], 2, 2)).reshape(boxes.shape)

    def resize_pixels(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """(H, W, 3) uint8 original -> (h, w, 3) uint8 at `resized_hw`, Pillow's antialiased bilinear."""
        if pixels.shape[:2] == self.resized_hw:
            return pixels
        size_wh = (self.resized_hw[1], self.resized_hw[0])
        return np.asarray(Image.fromarray(pixels).resize(size_wh, Image.Resampling.BILINEAR))

    def to_original_logits(self, logits: Tensor) -> Tensor:
        """(P, M, h, w) low-res logits of the padded input -> (P, M, H, W) at the original size.

        Upsamples to the input size, cuts the padding off, then resizes to the original, both bilinear: the public
        implementation's order, kept so that masks agree with it to rounding.
        """
        size = (self.input_size, self.input_size)
        full = F.interpolate(logits, size, mode="bilinear", align_corners=False)
        full = full[..., : self.resized_hw[0], : self.resized_hw[1]]
        return F.interpolate(full, self.original_hw, mode="bilinear", align_corners=False)

    def to_input_logits(self, mask: npt.NDArray[np.bool_], mask_size: int, *, magnitude: float) -> Tensor:
        """(H, W) bool original -> (1, mask_size, mask_size) float32 logits of +-`magnitude`, padding negative."""
        soft = torch.from_numpy(mask.astype(np.float32))[None, None]
        resized = F.interpolate(soft, self.resized_hw, mode="bilinear", align_corners=False, antialias=True)
        padded = F.pad(resized, (0, self.input_size - self.resized_hw[1], 0, self.input_size - self.resized_hw[0]))
        low = F.interpolate(padded, (mask_size, mask_size), mode="bilinear", align_corners=False, antialias=True)
        return (low[0] * 2 - 1) * magnitude
