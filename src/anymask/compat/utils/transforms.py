"""The public `ResizeLongestSide`: pixels, points and boxes into the model's input frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from anymask.images.frames import Frame

Floats = npt.NDArray[np.float64]


class ResizeLongestSide:
    """Makes the longest side `target_length` pixels. Sizes are (H, W), coordinates (x, y)."""

    def __init__(self, target_length: int) -> None:
        self.target_length = target_length

    def apply_image(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """(H, W, 3) uint8 -> (h, w, 3) uint8, a copy."""
        frame = Frame.fit((image.shape[0], image.shape[1]), self.target_length)
        return frame.resize_pixels(np.ascontiguousarray(image)).copy()

    def apply_coords(self, coords: npt.NDArray[np.generic], original_size: Sequence[int]) -> Floats:
        """(..., 2) original pixels -> (..., 2) float64 input pixels."""
        return coords.astype(np.float64) * self._scale_xy(original_size)

    def apply_boxes(self, boxes: npt.NDArray[np.generic], original_size: Sequence[int]) -> Floats:
        """(B, 4) original pixels -> (B, 4) float64 input pixels."""
        return self.apply_coords(boxes.reshape(-1, 2, 2), original_size).reshape(-1, 4)

    def apply_image_torch(self, image: Tensor) -> Tensor:
        """(B, C, H, W) float -> (B, C, h, w), antialiased bilinear; not to the bit what `apply_image` gives.

        The public package reads batch and channels as the size here and gives other sizes than it means to.
        """
        size = self.get_preprocess_shape(image.shape[2], image.shape[3], self.target_length)
        return F.interpolate(image, size, mode="bilinear", align_corners=False, antialias=True)

    def apply_coords_torch(self, coords: Tensor, original_size: Sequence[int]) -> Tensor:
        """(..., 2) original pixels -> (..., 2) float32 input pixels."""
        scale = torch.tensor(self._scale_xy(original_size), dtype=torch.float32, device=coords.device)
        return coords.to(torch.float32) * scale

    def apply_boxes_torch(self, boxes: Tensor, original_size: Sequence[int]) -> Tensor:
        """(B, 4) original pixels -> (B, 4) float32 input pixels."""
        return self.apply_coords_torch(boxes.reshape(-1, 2, 2), original_size).reshape(-1, 4)

    @staticmethod
    def get_preprocess_shape(oldh: int, oldw: int, long_side_length: int) -> tuple[int, int]:
        """(h, w) of an image of `oldh` x `oldw` whose longest side becomes `long_side_length`."""
        return Frame.fit((oldh, oldw), long_side_length).resized_hw

    def _scale_xy(self, original_size: Sequence[int]) -> tuple[float, float]:
        height, width = original_size
        new_height, new_width = self.get_preprocess_shape(height, width, self.target_length)
        return new_width / width, new_height / height
