"""From low-res logits straight to what everything-mode needs of a mask at the original size: areas at three thresholds,
box and run lengths, without ever making the full-size logits.

A bilinear value lies between the cells it is made of. So a tile of the picture whose cells are all below the lowest
threshold holds nothing, one whose cells are all above the highest is filled, and only the others are computed: the
outline of the mask, and of its two neighbours at threshold +- offset. The values are those of
`Frame.to_original_logits` up to float32 rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from anymask.images.frames import Frame
from anymask.images.resampling import AxisTiles, tile_frame
from anymask.masks import rle
from anymask.masks.types import Rle

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

_VALUES_AT_ONCE = 1 << 18
"""Full-size values computed in one go: one MiB, which stays in a core's cache."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Thresholds:
    """The logit above which a pixel is foreground, and how far from it stability looks."""

    mask: float = 0.0
    """Logit; above it is foreground."""
    offset: float = 1.0
    """Logits; stability compares the masks at `mask` + and - `offset`."""


@dataclass(frozen=True, slots=True, eq=False)
class Traced:
    """M masks at the original size, in order; arrays have M rows."""

    picture_hw: tuple[int, int]
    area_px: Integers
    """(M,) foreground pixels."""
    inner_px: Integers
    """(M,) pixels above the threshold + offset."""
    outer_px: Integers
    """(M,) pixels above the threshold - offset."""
    boxes_xyxy: Integers
    """(M, 4) pixels of the picture, right and bottom edges exclusive; zeros for an empty mask."""
    edges: tuple[Integers, ...]
    """Sorted column-major positions in the picture where each mask flips."""

    @property
    def stability(self) -> Floats:
        """(M,) float32; 0 where nothing is above the lower threshold."""
        outer = np.maximum(self.outer_px, 1).astype(np.float32)
        return np.asarray(self.inner_px.astype(np.float32) / outer)

    def rle(self, index: int) -> Rle:
        """The run lengths of one mask."""
        return rle.from_edges(self.edges[index], self.picture_hw)


class Tracer:
    """Traces masks of one frame: what depends on sizes alone is computed once."""

    def __init__(
        self,
        frame: Frame,
        low_size: int,
        *,
        thresholds: Thresholds | None = None,
        origin_xy: tuple[int, int] = (0, 0),
        picture_hw: tuple[int, int] | None = None,
    ) -> None:
        """For logits of `low_size` cells a side in `frame`, which may be a crop at `origin_xy` of a larger picture."""
        self.thresholds = thresholds or Thresholds()
        self.frame = frame
        self.low_size = low_size
        self.origin_xy = origin_xy
        self.picture_hw = picture_hw or frame.original_hw
        self._rows, self._columns = tile_frame(frame, low_size)
        self._tile_px = np.outer(self._rows.own_pixels, self._columns.own_pixels)

    def trace(self, logits: Floats) -> Traced:
        """The masks of (M, low_size, low_size) float32 logits."""
        low = np.float32(self.thresholds.mask - self.thresholds.offset)
        high = np.float32(self.thresholds.mask + self.thresholds.offset)
        most, least = self._extremes(logits)  # (M, tile rows, tile columns)
        filled = least > high
        # A filled tile at the head or foot of its column still has edges there.
        filled[:, [0, -1]] = False
        filled_px = (filled * self._tile_px).sum(axis=(1, 2))
        tally = _Tally(filled_px, filled_px.copy(), [])
        tiles = np.nonzero((most > low) & ~filled)
        seams = _Seams(tiles, filled, self._columns)
        at_once = max(1, _VALUES_AT_ONCE // ((self._rows.size + 1) * self._columns.size))
        for start in range(0, len(tiles[0]), at_once):
            mask, row, column = (axis[start : start + at_once] for axis in tiles)
            values = self._values(logits, mask, row, column)
            inside = values > self.thresholds.mask
            seams.join(inside, slice(start, start + len(mask)))
            tally.edges.append(self._edges(inside, mask, row, column))
            for pixels, threshold in ((tally.inner_px, high), (tally.outer_px, low)):
                _add_counts(pixels, mask, values > threshold)
        return self._collect(tally)

    def _extremes(self, logits: Floats) -> tuple[Floats, Floats]:
        """(M, R, C) the highest and the lowest cell in the window of each tile."""
        kernel = np.ones((self._rows.window, self._columns.window), np.uint8)
        corners = np.ix_(self._rows.first_cell, self._columns.first_cell)
        shape = (len(logits), len(self._rows), len(self._columns))
        most, least = np.empty(shape, np.float32), np.empty(shape, np.float32)
        for index, map_ in enumerate(logits):
            most[index] = cv2.dilate(map_, kernel, anchor=(0, 0))[corners]
            least[index] = cv2.erode(map_, kernel, anchor=(0, 0))[corners]
        return most, least

    def _values(self, logits: Floats, mask: Integers, row: Integers, column: Integers) -> Floats:
        """(N, 1 + size, size) full-size logits of N tiles, row above included; -inf outside the picture."""
        rows, columns = self._rows, self._columns
        windows = np.lib.stride_tricks.sliding_window_view(logits, (rows.window, columns.window), axis=(1, 2))
        cells = windows[mask, rows.first_cell[row], columns.first_cell[column]]
        values = rows.weights[row] @ cells @ columns.weights[column].transpose(0, 2, 1)
        values[row == 0, 0] = -np.inf
        values[row == len(rows) - 1, 1 + int(rows.own_pixels[-1]) :] = -np.inf
        values[column == len(columns) - 1, :, int(columns.own_pixels[-1]) :] = -np.inf
        return np.asarray(values)

    def _edges(self, inside: npt.NDArray[np.bool_], mask: Integers, row: Integers, column: Integers) -> Integers:
        """Where `inside` (N, 1 + size, size) flips down a column, as one sortable number: mask, then position."""
        flips = np.flatnonzero(inside[:, 1:] != inside[:, :-1])
        height, width = self.picture_hw
        in_column, x = np.divmod(flips, self._columns.size)
        tile, y = np.divmod(in_column, self._rows.size)
        x += self._columns.first_pixel[column][tile] + self.origin_xy[0]
        y += self._rows.first_pixel[row][tile] + self.origin_xy[1]
        return np.asarray(mask[tile] * (height * width + 1) + x * height + y)

    def _collect(self, tally: _Tally) -> Traced:
        """One entry a mask from the edges of all."""
        height, width = self.picture_hw
        count = len(tally.inner_px)
        keys = np.sort(np.concatenate(tally.edges)) if tally.edges else np.zeros(0, np.int64)
        limits = np.searchsorted(keys, np.arange(count + 1) * (height * width + 1))
        area = np.zeros(count, np.int64)
        boxes = np.zeros((count, 4), np.int64)
        edges = []
        for index in range(count):
            own = keys[limits[index] : limits[index + 1]] - index * (height * width + 1)
            edges.append(own)
            if len(own):
                # Down a column edges come in pairs, so every run here lies in one column.
                starts, stops = own[0::2], own[1::2]
                area[index] = (stops - starts).sum()
                top = int((starts % height).min())
                foot = int(((stops - 1) % height).max())
                boxes[index] = starts[0] // height, top, starts[-1] // height + 1, foot + 1
        return Traced(self.picture_hw, area, tally.inner_px, tally.outer_px, boxes, tuple(edges))


class _Seams:
    """Rows of pixels that two tiles look at: what one of them says of such a row is what the other hears.

    Both compute it, each among cells of its own, and a value that is zero to rounding may fall on either side: then an
    edge would be there twice, or not at all.
    """

    def __init__(self, tiles: tuple[Integers, ...], filled: npt.NDArray[np.bool_], columns: AxisTiles) -> None:
        """`tiles` are the mask, row and column of those to be computed, in that order; `filled` (M, R, C)."""
        mask, row, column = tiles
        number = np.full((filled.shape[0], filled.shape[1] + 2, filled.shape[2]), -1)
        number[mask, row + 1, column] = np.arange(len(mask))
        padded = np.pad(filled, ((0, 0), (1, 1), (0, 0)))
        self._above, self._below = number[mask, row, column], number[mask, row + 2, column]
        in_picture = np.arange(columns.size) < columns.own_pixels[column][:, None]
        self._above_filled = padded[mask, row, column][:, None] & in_picture
        self._below_filled = padded[mask, row + 2, column][:, None] & in_picture
        self._is_foot = row + 1 == filled.shape[1]
        self._feet = np.zeros((len(mask), columns.size), np.bool_)

    def join(self, inside: npt.NDArray[np.bool_], part: slice) -> None:
        """Corrects the first and last rows of the next tiles' `inside` (N, 1 + size, size)."""
        # A tile that is not computed is inside everywhere or nowhere.
        alone = (self._below[part] < 0) & ~self._is_foot[part]
        inside[alone, -1] = self._below_filled[part][alone]
        self._feet[part] = inside[:, -1]
        above = self._above[part]
        inside[:, 0] = np.where(above[:, None] < 0, self._above_filled[part], self._feet[above])


@dataclass(frozen=True, slots=True, eq=False)
class _Tally:
    """What is added up over the tiles of M masks."""

    inner_px: Integers
    outer_px: Integers
    edges: list[Integers]


def _add_counts(pixels: Integers, mask: Integers, inside: npt.NDArray[np.bool_]) -> None:
    """Adds to `pixels` (M,) what is true in the own rows of `inside` (N, 1 + size, size), tiles sorted by `mask`."""
    present, first = np.unique(mask, return_index=True)
    for index, start, stop in zip(present, first, [*first[1:], len(mask)], strict=True):
        pixels[index] += np.count_nonzero(inside[start:stop, 1:])
