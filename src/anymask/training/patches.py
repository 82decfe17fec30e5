"""Images as rows of patches, and back: what a masked autoencoder hides, predicts and is measured by.

Patches are in raster order, each a row of 3 * 16 * 16 values, (row, column, channel) inside the patch.
Source: MAE (He et al. 2021, arXiv 2111.06377), sections 3 and A.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from anymask.model.image_encoder import PATCH

PATCH_VALUES = 3 * PATCH * PATCH
"""Numbers in one patch."""
_EPS = 1e-6
"""Added to a patch's variance: a patch of one colour has none."""


def to_patches(images: Tensor) -> Tensor:
    """(B, 3, S, S) -> (B, N, 768), N = (S / 16)^2."""
    batch, side = images.shape[0], images.shape[-1] // PATCH
    cut = images.reshape(batch, 3, side, PATCH, side, PATCH)
    return cut.permute(0, 2, 4, 3, 5, 1).reshape(batch, side * side, PATCH_VALUES)


def from_patches(patches: Tensor) -> Tensor:
    """(B, N, 768) of a square grid -> (B, 3, S, S); the inverse of `to_patches`."""
    batch, side = patches.shape[0], round(patches.shape[1] ** 0.5)
    cut = patches.reshape(batch, side, side, PATCH, PATCH, 3)
    return cut.permute(0, 5, 1, 3, 2, 4).reshape(batch, 3, side * PATCH, side * PATCH)


def patch_statistics(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each patch over its values, (B, N, 1) each; the deviation is never 0."""
    variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
    return mean, (variance + _EPS).sqrt()


def visible_count(patches: int, ratio: float) -> int:
    """How many of the patches stay visible when the share `ratio` is hidden; at least one."""
    return max(1, round(patches * (1 - ratio)))


def hidden_patches(patches: int, ratio: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """(patches,) bool: true for a random share `ratio` of the patches, all but `visible_count`."""
    hidden = np.ones(patches, np.bool_)
    hidden[rng.permutation(patches)[: visible_count(patches, ratio)]] = False
    return hidden


def masked_loss(predicted: Tensor, patches: Tensor, hidden: Tensor) -> Tensor:
    """(B,) mean squared error over the hidden patches of each image, each patch normalised to mean 0 and deviation 1.

    `predicted` and `patches` are (B, N, 768); `hidden` (B, N) bool, the same number in every row, at least one.
    Computed in float32 whatever the arithmetic of the prediction.
    """
    mean, deviation = patch_statistics(patches.float())
    target = (patches.float() - mean) / deviation
    error = (predicted.float() - target).square().mean(dim=-1)
    return (error * hidden).sum(dim=1) / hidden.sum(dim=1)


def wave_positions(side: int, channels: int) -> Tensor:
    """(side * side, channels) float32: sines and cosines of a patch's column, then of its row, at falling frequencies.

    Source: MAE's fixed positions, after Vaswani et al. 2017 (arXiv 1706.03762) in two dimensions.

    >>> (wave_positions(2, 4) * 100).round().int().tolist()
    [[0, 100, 0, 100], [84, 54, 0, 100], [0, 100, 84, 54], [84, 54, 84, 54]]
    """
    assert channels % 4 == 0
    place = np.arange(side, dtype=np.float64)
    angles = place[:, None] / 10_000 ** (np.arange(channels // 4) / (channels // 4))
    waves = np.concatenate((np.sin(angles), np.cos(angles)), axis=1)  # (side, channels / 2)
    columns, rows = np.tile(waves, (side, 1)), np.repeat(waves, side, axis=0)
    return torch.from_numpy(np.concatenate((columns, rows), axis=1).astype(np.float32))
