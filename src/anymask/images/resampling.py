"""How each original pixel is made of low-res cells: the two bilinear steps of `Frame.to_original_logits`, one axis at a
time, cut into tiles so that only the tiles that matter need be computed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from anymask.images.frames import Frame

Floats = npt.NDArray[np.float32]

_CELLS_A_TILE = 8
"""Aim of a tile's side in low-res cells: smaller tiles hug a mask's outline, larger ones need fewer array calls."""


@dataclass(frozen=True, slots=True, eq=False)
class AxisTiles:
    """One axis of the original picture in T tiles of `size` pixels.

    Row r of tile t stands for original pixel `t * size - lead + r`; pixels outside the picture have zero weights.
    """

    length: int
    """Original pixels on this axis."""
    size: int
    """Pixels of a tile, a power of two."""
    lead: int
    """Pixels before the tile's own that are computed with it (0 or 1)."""
    first_cell: npt.NDArray[np.int64]
    """(T,) the low-res cell where each tile's window begins."""
    weights: Floats
    """(T, lead + size, K) share of each of the window's K cells in each pixel."""

    def __len__(self) -> int:
        return len(self.first_cell)

    @property
    def window(self) -> int:
        """K, the low-res cells that a tile is made of."""
        return int(self.weights.shape[2])

    @property
    def first_pixel(self) -> npt.NDArray[np.int64]:
        """(T,) the original pixel where each tile's own pixels begin."""
        return np.arange(len(self), dtype=np.int64) * self.size

    @property
    def own_pixels(self) -> npt.NDArray[np.int64]:
        """(T,) the tile's own pixels that lie inside the picture."""
        return np.clip(self.length - self.first_pixel, 0, self.size)


def axis_weights(low_size: int, input_size: int, resized: int, original: int) -> Floats:
    """(original, low_size) float32: what each low-res cell adds to each original pixel along one axis.

    `low_size` cells become `input_size` pixels, of which the first `resized` become `original`. Torch itself resizes
    unit vectors, so the weights are those of its two bilinear steps, rounding of positions included.
    """

    def resize(table: Tensor, rows: int) -> Tensor:
        return F.interpolate(table[None, None], (rows, low_size), mode="bilinear", align_corners=False)[0, 0]

    table = resize(resize(torch.eye(low_size), input_size)[:resized], original)
    return np.asarray(table.numpy())


def tile_axis(weights: Floats, *, lead: int) -> AxisTiles:
    """The (original, low_size) `weights` of `axis_weights` in tiles.

    With `lead` 1 the pixel past the end has a tile too, so that there is one where a run that reaches the end stops.
    """
    length, low_size = weights.shape
    cells = _CELLS_A_TILE * max(1.0, length / low_size)
    size = 2 ** min(6, max(3, round(math.log2(cells))))
    count = -(-(length + lead) // size)
    pixels = np.arange(count)[:, None] * size - lead + np.arange(lead + size)  # (T, lead + size)
    inside = np.clip(pixels, 0, length - 1)
    used = weights != 0
    first = used.argmax(axis=1)
    last = low_size - 1 - used[:, ::-1].argmax(axis=1)
    first_cell = first[inside].min(axis=1)
    window = int((last[inside].max(axis=1) - first_cell).max()) + 1
    first_cell = np.minimum(first_cell, low_size - window)
    columns = first_cell[:, None] + np.arange(window)  # (T, K)
    tiles = weights[inside[:, :, None], columns[:, None, :]]
    tiles[(pixels < 0) | (pixels >= length)] = 0
    return AxisTiles(length, size, lead, first_cell, np.ascontiguousarray(tiles))


def tile_frame(frame: Frame, low_size: int) -> tuple[AxisTiles, AxisTiles]:
    """The tiles of rows (one row of lead) and of columns of `frame`, for low-res maps of `low_size` cells a side."""
    rows, columns = (
        axis_weights(low_size, frame.input_size, frame.resized_hw[axis], frame.original_hw[axis]) for axis in (0, 1)
    )
    return tile_axis(rows, lead=1), tile_axis(columns, lead=0)
