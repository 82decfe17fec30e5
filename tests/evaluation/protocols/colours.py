"""Pictures of coloured rectangles, and a segmenter that understands their colours' names: text without a model."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from anymask.errors import UnsupportedPromptError
from anymask.evaluation.segmenter import Answer
from anymask.prompts.types import Prompt

COLOURS = {"red": (220, 20, 20), "green": (20, 200, 30), "blue": (20, 30, 220)}
RECTANGLES = [
    [("red", (2, 2, 14, 12)), ("red", (20, 4, 34, 20)), ("green", (4, 16, 16, 28))],
    [("blue", (6, 6, 30, 24))],
]
SIZE_HW = (32, 40)


def write_colours(root: Path) -> tuple[Path, Path]:
    """(annotation file, folder) of two pictures; categories are called `red thing` and so on."""
    folder = root / "pictures"
    folder.mkdir(parents=True)
    names = list(COLOURS)
    images, annotations = [], []
    for number, rectangles in enumerate(RECTANGLES):
        pixels = np.full((*SIZE_HW, 3), 128, np.uint8)
        for colour, (x0, y0, x1, y1) in rectangles:
            pixels[y0:y1, x0:x1] = COLOURS[colour]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": names.index(colour) + 1,
                    "segmentation": [[x0, y0, x1, y0, x1, y1, x0, y1]],
                }
            )
        Image.fromarray(pixels).save(folder / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "height": SIZE_HW[0], "width": SIZE_HW[1]})
    categories = [{"id": index, "name": f"{name} thing"} for index, name in enumerate(names, start=1)]
    path = root / "colours.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path, folder


@dataclass
class ColourSegmenter:
    """Text gives everything of that colour, a click the connected region under it, both that region alone."""

    name: str = "colours"
    fingerprint: str = "1"
    takes_points: bool = True
    takes_boxes: bool = False
    gives_three: bool = False
    asked: list[Prompt] = field(default_factory=list)
    pixels: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros((1, 1, 3), np.uint8))

    def set_image(self, pixels: npt.NDArray[np.uint8]) -> None:
        self.pixels = pixels

    def predict(self, prompt: Prompt, *, multimask: bool) -> Answer:
        del multimask
        self.asked.append(prompt)
        colour: tuple[int, ...] | None = None
        if prompt.text is not None:
            known = [value for name, value in COLOURS.items() if name in prompt.text.split()]
            if not known:
                raise UnsupportedPromptError(f"no colour in {prompt.text!r}")
            colour = known[0]
        if prompt.points_xy is None:
            return self._answer((self.pixels == colour).all(-1))
        x, y = (int(value) for value in prompt.points_xy[0])
        same = (self.pixels == self.pixels[y, x]).all(-1)
        labels = cv2.connectedComponents(same.astype(np.uint8), connectivity=4)[1]
        return self._answer(labels == labels[y, x])

    def _answer(self, mask: npt.NDArray[np.bool_]) -> Answer:
        return Answer(np.asarray(mask)[None], np.ones(1, np.float32))
