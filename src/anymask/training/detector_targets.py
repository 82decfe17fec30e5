"""What the object detector's cells should say of a labelled picture, and where nobody knows.

A cell is *positive* when it lies in the middle of a mask's box, *negative* when somebody labelled the place it stands
on and it is not positive, and *unknown* elsewhere: label 0 means that nobody said anything, not that there is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from anymask.dataset.record import Record
from anymask.images.frames import Frame
from anymask.masks import rle
from anymask.model.object_detector import LONGEST_SIDE, STRIDES

LABELLED_CELL = 4
"""Input pixels a cell of the map of labelled places is wide."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledBoxes:
    """A picture's objects as boxes, in the padded input frame."""

    boxes_xyxy: npt.NDArray[np.float32]
    """(K, 4) input pixels."""
    labelled: npt.NDArray[np.bool_]
    """(S/4, S/4): whether somebody said what is in the middle of each cell; the padding is nobody's."""
    content_hw: tuple[int, int]
    """Height and width that the picture takes, input pixels."""

    def flipped(self) -> LabelledBoxes:
        """The same of the picture seen in a mirror."""
        width = self.content_hw[1]
        x0, y0, x1, y1 = self.boxes_xyxy.T
        # A cell shows its middle, so the mirrored map is read at the mirrored middles.
        middles = width - (np.arange(self.labelled.shape[1]) + 0.5) * LABELLED_CELL
        columns = np.floor(middles / LABELLED_CELL).astype(np.int64)
        inside = (middles >= 0) & (columns < self.labelled.shape[1])
        mirrored = self.labelled[:, np.where(inside, columns, 0)] & inside
        boxes = np.stack((width - x1, y0, width - x0, y1), axis=1).astype(np.float32).reshape(-1, 4)
        return LabelledBoxes(boxes, mirrored, self.content_hw)


def labelled_boxes(record: Record, input_size: int, *, min_area_px: int, max_fraction: float) -> LabelledBoxes:
    """The boxes of a record's masks of `min_area_px` (original pixels) and up to `max_fraction` of the picture.

    Masks that are too small or too large are no targets, but their places count as labelled.

    Raises: DatasetError, ImageError as `Record.masks`.
    """
    masks = record.masks()
    height, width = masks.size_hw
    frame = Frame.fit(masks.size_hw, input_size)
    chosen = (masks.area_px >= min_area_px) & (masks.area_px <= max_fraction * height * width)
    boxes = frame.to_input_boxes(masks.boxes_xyxy[chosen]).reshape(-1, 4)
    covered = np.zeros(masks.size_hw, np.bool_)
    for mask in masks.rles:
        covered |= rle.decode(mask)
    side = input_size // LABELLED_CELL
    labelled = np.zeros((side, side), np.bool_)
    rows, columns = (
        np.floor((np.arange(side) + 0.5) * LABELLED_CELL / resized * original).astype(np.int64)
        for resized, original in zip(frame.resized_hw, masks.size_hw, strict=True)
    )
    down, across = int((rows < height).sum()), int((columns < width).sum())
    labelled[:down, :across] = covered[rows[:down, None], columns[None, :across]]
    return LabelledBoxes(boxes, labelled, frame.resized_hw)


@dataclass(frozen=True, slots=True, eq=False)
class CellTargets:
    """Per cell of one picture, in the order of `cell_centres`."""

    owner: Tensor
    """(L,) int64: the object the cell is positive for, -1 for none."""
    known: Tensor
    """(L,) bool: positive, or on a labelled place: the cell's score can be right or wrong."""


def map_of_boxes(boxes_xyxy: Tensor) -> Tensor:
    """(K,) int64: the map that each of (K, 4) boxes belongs to, by its longest side.

    >>> map_of_boxes(torch.tensor([[0., 0., 64., 9.], [0., 0., 65., 9.], [0., 0., 9., 9000.]])).tolist()
    [0, 1, 3]
    """
    longest = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).amax(dim=1)
    limits = torch.tensor([stride * LONGEST_SIDE for stride in STRIDES[:-1]], device=boxes_xyxy.device)
    return (longest[:, None] > limits).sum(dim=1)


def assign(cells: Tensor, picture: LabelledBoxes, radius: float) -> CellTargets:
    """The targets of (L, 3) `cells` (`cell_centres`).

    A cell of an object's own map is positive when its middle lies in the box and within `radius` cells of the box's
    middle, across and down; and so is always the cell that the box's middle lies in. Of several objects it takes the
    one of the smallest box.
    """
    boxes = torch.from_numpy(picture.boxes_xyxy).to(cells.device)
    owner = torch.full((len(cells),), -1, dtype=torch.int64, device=cells.device)
    x, y, stride = cells.unbind(dim=1)
    if len(boxes):
        strides = torch.tensor(STRIDES, device=cells.device)[map_of_boxes(boxes)]
        own_map = stride[:, None] == strides
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        away = torch.stack((x, y), dim=1)[:, None] - middle  # (L, K, 2)
        near = (away.abs() < radius * stride[:, None, None]).all(dim=2)
        inside = (x[:, None] > boxes[:, 0]) & (x[:, None] < boxes[:, 2])
        inside &= (y[:, None] > boxes[:, 1]) & (y[:, None] < boxes[:, 3])
        # Half-open, so that a middle on the line between two cells lies in one of them.
        half = stride[:, None, None] / 2
        holds_middle = ((away > -half) & (away <= half)).all(dim=2)
        positive = own_map & ((near & inside) | holds_middle)
        area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
        cost = torch.where(positive, area, torch.inf)
        least, index = cost.min(dim=1)
        owner = torch.where(torch.isfinite(least), index, owner)
    side = picture.labelled.shape[0]
    labelled = torch.from_numpy(picture.labelled).to(cells.device)
    row, column = ((value / LABELLED_CELL).long().clamp(max=side - 1) for value in (y, x))
    return CellTargets(owner, labelled[row, column] | (owner >= 0))
