"""A small study made of drawn pictures by segmenters that are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from anymask.evaluation.segmenter import Answer
from anymask.prompts.types import Prompt

SIZE_HW = (60, 80)


@dataclass
class Square:
    """Answers every prompt with a square of `half` px around its middle, and notes what it was asked."""

    name: str = "square"
    half: int = 10
    takes_points: bool = True
    takes_boxes: bool = True
    gives_three: bool = True
    asked: list[Prompt] = field(default_factory=list)
    shown: list[npt.NDArray[np.uint8]] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        return f"square {self.half}"

    def set_image(self, pixels: npt.NDArray[np.uint8]) -> None:
        self.shown.append(pixels)

    def predict(self, prompt: Prompt, *, multimask: bool) -> Answer:
        self.asked.append(prompt)
        if prompt.points_xy is not None:
            x, y = (float(value) for value in prompt.points_xy[0])
        else:
            assert prompt.box_xyxy is not None
            x0, y0, x1, y1 = (float(value) for value in np.asarray(prompt.box_xyxy).ravel())
            x, y = (x0 + x1) / 2, (y0 + y1) / 2
        masks = np.zeros((3 if multimask else 1, *self.shown[-1].shape[:2]), np.bool_)
        for index in range(len(masks)):
            side = self.half + index
            masks[index, max(0, int(y) - side) : int(y) + side, max(0, int(x) - side) : int(x) + side] = True
        scores = np.arange(len(masks), dtype=np.float32)
        return Answer(masks, scores)


def write_set(root: Path, count: int = 4, size_hw: tuple[int, int] = SIZE_HW, name: str = "bars") -> Path:
    """A folder of one set: in each picture a large and a middle bar, and one that is too small to rate."""
    folder = root / name
    folder.mkdir(parents=True)
    height, width = size_hw
    for number in range(count):
        labels = np.zeros(size_hw, np.uint8)
        labels[2 : height // 2, 2 : width // 2] = 1
        labels[height // 2 + 2 : height - 2, number : number + width // 2] = 2
        labels[:10, width - 12 :] = 3
        pixels = np.random.default_rng(number).integers(0, 255, (*size_hw, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.webp", lossless=True)
        Image.fromarray(labels).save(folder / f"{number}.png")
    return root
