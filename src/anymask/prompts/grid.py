"""Grids of points and overlapping crops that cover a picture: the prompts of everything-mode."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt

from anymask.errors import ConfigError


def point_grid(n_per_side: int) -> npt.NDArray[np.float64]:
    """(n * n, 2) unit (x, y): the centres of n x n equal cells, row by row.

    Float64, so that the points in pixels are those of the public implementation to the bit.

    >>> point_grid(2).tolist()
    [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]

    Raises: ConfigError for less than one point a side.
    Source: segment_anything 1.0, `utils/amg.py`, `build_point_grid`.
    """
    if n_per_side < 1:
        raise ConfigError(f"points per side is {n_per_side}, expected 1 or more")
    half_cell = 1 / (2 * n_per_side)
    centres = np.linspace(half_cell, 1 - half_cell, n_per_side)
    return np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)


def grids_for_layers(n_per_side: int, n_layers: int, downscale_per_layer: int) -> list[npt.NDArray[np.float64]]:
    """One unit grid for the whole picture and one for each layer of crops, each coarser than the one before.

    >>> [len(grid) for grid in grids_for_layers(32, 2, 2)]
    [1024, 256, 64]

    Raises: ConfigError when a layer would have no point left.
    Source: segment_anything 1.0, `utils/amg.py`, `build_all_layer_point_grids`.
    """
    if downscale_per_layer < 1:
        raise ConfigError(f"the downscale per layer is {downscale_per_layer}, expected 1 or more")
    sides = [int(n_per_side / downscale_per_layer**layer) for layer in range(n_layers + 1)]
    if sides[-1] < 1:
        raise ConfigError(
            f"{n_per_side} points per side, {downscale_per_layer} times fewer in each of {n_layers} layers, "
            "leave a layer without points; give more points or fewer layers"
        )
    return [point_grid(side) for side in sides]


def crop_boxes(
    size_hw: tuple[int, int], n_layers: int, overlap_ratio: float
) -> tuple[list[tuple[int, int, int, int]], list[int]]:
    """Crops (x0, y0, x1, y1) in original pixels and the layer of each: the whole picture is layer 0, layer i has 4^i.

    Crops of one layer are equally large, in column order, and overlap by `overlap_ratio` of the short side, halved with
    every further layer. On tiny pictures crops at the end may be empty (x0 >= x1); they are left out.

    >>> crop_boxes((100, 200), 1, 0.5)[0]
    [(0, 0, 200, 100), (0, 0, 125, 75), (0, 25, 125, 100), (75, 0, 200, 75), (75, 25, 200, 100)]

    Raises: ConfigError for a negative number of layers or an overlap outside [0, 1).
    Source: segment_anything 1.0, `utils/amg.py`, `generate_crop_boxes`.
    """
    if n_layers < 0 or not 0 <= overlap_ratio < 1:
        raise ConfigError(
            f"{n_layers} crop layers with an overlap of {overlap_ratio}, expected 0 or more layers and 0 <= overlap < 1"
        )
    height, width = size_hw
    boxes, layers = [(0, 0, width, height)], [0]
    for layer in range(1, n_layers + 1):
        n_per_side = 2**layer
        overlap = int(overlap_ratio * min(size_hw) * (2 / n_per_side))
        crop_w, crop_h = (math.ceil((overlap * (n_per_side - 1) + side) / n_per_side) for side in (width, height))
        for column, row in itertools.product(range(n_per_side), repeat=2):
            x0, y0 = (crop_w - overlap) * column, (crop_h - overlap) * row
            box = (x0, y0, min(x0 + crop_w, width), min(y0 + crop_h, height))
            if box[0] < box[2] and box[1] < box[3]:
                boxes.append(box)
                layers.append(layer)
    return boxes, layers
