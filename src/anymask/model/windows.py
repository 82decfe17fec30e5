"""How a grid of tokens is cut into attention windows, without padding tokens.

The public code pads the grid with zeros up to whole windows. Padding tokens are dropped here: windows at the right and
bottom edge keep their own, smaller shape, and tokens are put in *window order*, all windows of one shape together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class WindowGroup:
    """Windows of one shape, neighbours in window order."""

    start: int
    """First token of the group in window order."""
    count: int
    """Windows in the group."""
    hw: tuple[int, int]
    """Rows and columns of real tokens in each window."""
    span_hw: tuple[int, int]
    """Rows and columns with the padding that the public code would add; equal to `hw` inside the picture."""

    @property
    def length(self) -> int:
        """Real tokens of one window."""
        return self.hw[0] * self.hw[1]

    @property
    def stop(self) -> int:
        """One past the group's last token in window order."""
        return self.start + self.count * self.length

    @property
    def is_padded(self) -> bool:
        """Whether padding keys take part in this group's attention."""
        return self.hw != self.span_hw


@dataclass(frozen=True, slots=True, eq=False)
class WindowLayout:
    """A grid in window order."""

    order: npt.NDArray[np.int64]
    """(N,) raster index of each token in window order."""
    back: npt.NDArray[np.int64]
    """(N,) position in window order of each raster token."""
    groups: tuple[WindowGroup, ...]


def whole_grid(grid_hw: tuple[int, int]) -> tuple[WindowGroup, ...]:
    """Global attention: one window that is the grid, in raster order."""
    return (WindowGroup(0, 1, grid_hw, grid_hw),)


@lru_cache(maxsize=32)
def window_layout(grid_hw: tuple[int, int], window: int) -> WindowLayout:
    """The layout of `grid_hw` tokens in windows of `window` x `window`.

    >>> layout = window_layout((3, 2), 2)
    >>> layout.order.tolist()
    [0, 1, 2, 3, 4, 5]
    >>> [(group.count, group.hw) for group in layout.groups]
    [(1, (2, 2)), (1, (1, 2))]
    """
    height, width = grid_hw
    raster = np.arange(height * width).reshape(height, width)
    inner_h, inner_w = height // window * window, width // window * window
    parts, groups, start = [], [], 0
    for rows in (slice(0, inner_h), slice(inner_h, height)):
        for columns in (slice(0, inner_w), slice(inner_w, width)):
            block = raster[rows, columns]
            if block.size == 0:
                continue
            hw = (min(window, block.shape[0]), min(window, block.shape[1]))
            down, across = block.shape[0] // hw[0], block.shape[1] // hw[1]
            cut = block.reshape(down, hw[0], across, hw[1]).transpose(0, 2, 1, 3)
            parts.append(cut.reshape(-1))
            groups.append(WindowGroup(start, down * across, hw, (window, window)))
            start += block.size
    order = np.concatenate(parts)
    return WindowLayout(order, np.argsort(order), tuple(groups))
