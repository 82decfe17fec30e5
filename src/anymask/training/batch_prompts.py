"""The simulated annotator for the masks of many pictures at once, on the device that computes.

What `prompts.simulate` draws mask by mask, drawn for all masks together: one mask at a time, a GPU would wait for its
clicks most of the time. The numbers behind every draw come from a generator of the picture's own, so that they do not
depend on which pictures are computed together. "The middle" of a region is found on a grid of 4 x 4 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from anymask.prompts.simulate import ClickConfig
from anymask.prompts.types import BACKGROUND, BOX_BOTTOM_RIGHT, BOX_TOP_LEFT, FOREGROUND, PADDING

CELL = 4
"""Side in pixels of the cells among which the middle of a region is looked for."""
_AT_ONCE = 64
"""Masks whose depths are computed together, half a GiB at 512 x 512."""


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """The random numbers behind the prompts of K masks."""

    kind: Tensor
    """(K,) in [0, 1): below `box_probability` the first prompt is a box."""
    centre: Tensor
    """(K, R) in [0, 1): below `centre_probability` the click of that round goes to the middle."""
    place: Tensor
    """(K, R) in [0, 1): which pixel of the region a click takes."""
    noise: Tensor
    """(K, 4) of the box's sides: standard normal, or uniform in [-1, 1)."""

    @staticmethod
    def of(masks: int, clicks: int, config: ClickConfig, rng: np.random.Generator) -> Draws:
        """Numbers for `masks` masks and `clicks` clicks after the first prompt."""
        uniform = torch.from_numpy(rng.random((masks, 1 + 2 * (clicks + 1)), np.float32))
        noise = rng.standard_normal((masks, 4)) if config.box_noise == "gaussian" else rng.uniform(-1, 1, (masks, 4))
        sides = torch.from_numpy(noise.astype(np.float32))
        return Draws(uniform[:, 0], uniform[:, 1 : clicks + 2], uniform[:, clicks + 2 :], sides)

    @staticmethod
    def join(each: list[Draws], device: torch.device) -> Draws:
        """The draws of all, in order, on `device`."""
        columns = zip(*((draws.kind, draws.centre, draws.place, draws.noise) for draws in each), strict=True)
        return Draws(*(torch.cat(column).to(device) for column in columns))


class BatchAnnotator:
    """Prompts for K true masks, round by round."""

    def __init__(self, targets: Tensor, config: ClickConfig, draws: Draws) -> None:
        """`targets` is (K, S, S) bool, every one non-empty, S a multiple of 4, on the device of `draws`."""
        self.targets, self.config, self.draws = targets, config, draws
        self.is_box = draws.kind < config.box_probability
        self._round = 0
        self._points = torch.zeros((len(targets), 0, 2), device=targets.device)
        self._labels = torch.zeros((len(targets), 0), dtype=torch.int64, device=targets.device)

    def first(self) -> tuple[Tensor, Tensor]:
        """Two tokens a mask, a point and padding or a box's corners: (K, 2, 2) xy and (K, 2) labels."""
        point, _ = self._pick(self.targets, self.targets & False)
        corners = noisy_boxes(self.targets, self.config, self.draws.noise).view(-1, 2, 2)
        points = torch.stack((point, torch.zeros_like(point)), 1)
        self._points = torch.where(self.is_box[:, None, None], corners, points)
        kinds = self._labels.new_tensor([[FOREGROUND, PADDING], [BOX_TOP_LEFT, BOX_BOTTOM_RIGHT]])
        self._labels = kinds[self.is_box.long()]
        return self._points, self._labels

    def click(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """The prompts so far and one more, from the error of the answer (K, 1, S/4, S/4): (K, N, 2) and (K, N)."""
        size = self.targets.shape[-1]
        guess = F.interpolate(logits, (size, size), mode="bilinear", align_corners=False)[:, 0] > 0
        missed, excess = self.targets & ~guess, guess & ~self.targets
        perfect = ~(missed | excess).flatten(1).any(1)
        point, label = self._pick(missed | (self.targets & perfect[:, None, None]), excess)
        self._points = torch.cat((self._points, point[:, None]), 1)
        self._labels = torch.cat((self._labels, label[:, None]), 1)
        return self._points, self._labels

    def _pick(self, missed: Tensor, excess: Tensor) -> tuple[Tensor, Tensor]:
        """One click a mask in (K, S, S) regions, the next of the draws: (K, 2) xy of pixels, (K,) labels."""
        region = missed | excess
        xy = uniform_pixels(region, self.draws.place[:, self._round])
        if self.config.centre_probability > 0:
            middles, depths = zip(*(middle_pixels(part) for part in (missed, excess)), strict=True)
            deepest = torch.where((depths[0] >= depths[1])[:, None], middles[0], middles[1])
            central = self.draws.centre[:, self._round] < self.config.centre_probability
            central &= torch.maximum(*depths) > 0  # a region of loose pixels has no cell of its own
            xy = torch.where(central[:, None], deepest, xy)
        rows = torch.arange(len(xy), device=xy.device)
        label = torch.where(missed[rows, xy[:, 1], xy[:, 0]], FOREGROUND, BACKGROUND)
        self._round += 1
        return xy.float(), label


def uniform_pixels(region: Tensor, place: Tensor) -> Tensor:
    """(K, 2) int64 xy of the pixel of each (K, S, S) region that `place` (K,) in [0, 1) falls on in reading order."""
    rows = region.sum(2)
    ends = rows.cumsum(1)
    number = (place * ends[:, -1]).long().clamp(max=ends[:, -1] - 1)  # a product in float32 may round up
    y = (ends <= number[:, None]).sum(1).clamp(max=region.shape[1] - 1)
    each = torch.arange(len(region), device=region.device)
    within = number - (ends[each, y] - rows[each, y])
    x = (region[each, y].cumsum(1) <= within[:, None]).sum(1).clamp(max=region.shape[2] - 1)
    return torch.stack((x, y), 1)


def middle_pixels(region: Tensor) -> tuple[Tensor, Tensor]:
    """The middle of each (K, S, S) region: (K, 2) int64 xy of a pixel of it, and (K,) its squared depth in cells.

    It is the pixel in the middle of the cell that is farthest from every cell outside; a cell is inside when more than
    half of it and its middle pixel are. Everything beyond the border is outside. The depth is 0 where there is no cell.
    """
    middle = region[:, CELL // 2 :: CELL, CELL // 2 :: CELL]
    cells = (F.avg_pool2d(region[:, None].float(), CELL)[:, 0] > 0.5) & middle
    depth = squared_depths(cells)
    best = depth.flatten(1).argmax(1)
    y, x = best // cells.shape[2], best % cells.shape[2]
    each = torch.arange(len(cells), device=cells.device)
    return torch.stack((x, y), 1) * CELL + CELL // 2, depth[each, y, x]


def squared_depths(cells: Tensor) -> Tensor:
    """(K, h, w) int32: squared distance of each cell of (K, h, w) bool regions to the nearest one outside.

    Everything beyond the border is outside, as in `prompts.clicks.squared_depth`.
    """
    height, width = cells.shape[1:]
    columns = torch.arange(1, width + 1, dtype=torch.int32, device=cells.device)
    outside = torch.where(cells, 0, columns)
    left = columns - outside.cummax(2).values
    mirrored = torch.where(cells.flip(2), 0, columns)
    right = (columns - mirrored.cummax(2).values).flip(2)
    across = torch.minimum(left, right) ** 2
    rows = torch.arange(height, dtype=torch.int32, device=cells.device)
    down = torch.minimum(rows + 1, height - rows) ** 2
    apart = (rows[:, None] - rows[None]) ** 2  # of every two rows
    # A few masks at a time: every row is compared with every other.
    nearest = [(part[:, None] + apart[..., None]).amin(2) for part in torch.split(across, _AT_ONCE)]
    return torch.minimum(torch.cat(nearest), down[:, None])


def noisy_boxes(masks: Tensor, config: ClickConfig, noise: Tensor) -> Tensor:
    """(K, 4) float32 xyxy of (K, S, S) masks, each side moved by `noise` (K, 4), as `prompts.simulate.random_box`."""
    height, width = masks.shape[1:]
    spans = []
    for axis, length in ((1, width), (2, height)):
        taken = masks.any(axis).long()
        first = taken.argmax(1)
        spans.append((first, length - taken.flip(1).argmax(1)))
    (left, right), (top, bottom) = spans
    box = torch.stack((left, top, right, bottom), 1).float()
    sides = (box[:, 2:] - box[:, :2]).repeat(1, 2)
    limit = config.box_noise_max_px
    noisy = box + (noise * config.box_noise_share * sides).clamp(-limit, limit)
    noisy = torch.minimum(noisy.clamp(min=0), noisy.new_tensor([width, height, width, height]))
    # Noise on a thin box can turn it inside out; such a draw goes back to the true side.
    inverted = (noisy[:, 2:] - noisy[:, :2] < 1).repeat(1, 2)
    return torch.where(inverted, box, noisy)
