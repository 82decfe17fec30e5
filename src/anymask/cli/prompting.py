"""Prompts from arguments: `--point x,y[,label]`, `--box x0,y0,x1,y1` and `--mask FILE`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anymask.errors import PromptError

if TYPE_CHECKING:
    from anymask.prompts.types import Prompt


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptArguments:
    """What was asked for, in the words of the command line."""

    points: tuple[str, ...] = ()
    """`x,y` or `x,y,label`, in pixels of the picture; label 1 is foreground (the default), 0 background."""
    boxes: tuple[str, ...] = ()
    """`x0,y0,x1,y1`, right and bottom edges exclusive."""
    mask: Path | None = None
    """A PNG; what is not 0 is foreground."""

    @property
    def is_empty(self) -> bool:
        """Whether no prompt was given."""
        return not self.points and not self.boxes and self.mask is None


def make_prompts(given: PromptArguments) -> list[Prompt]:
    """The prompts that `given` means: all points, the mask and one box together are one; several boxes are several.

    Raises: PromptError for a malformed value, or points or a mask beside several boxes; MaskError for a bad mask file.
    """
    import numpy as np

    from anymask.prompts.types import Prompt

    if len(given.boxes) > 1 and (given.points or given.mask):
        raise PromptError(
            f"{len(given.boxes)} boxes are {len(given.boxes)} prompts, and it is unclear which of them the "
            f"{'points belong' if given.points else 'mask belongs'} to; give one box with it, or run once for each box"
        )
    boxes = [_parse_numbers(text, "--box", (4,)) for text in given.boxes]
    points = [_parse_point(text) for text in given.points]
    mask = None if given.mask is None else _read_mask(given.mask)
    parts: dict[str, Any] = {"mask": mask}
    if points:
        parts |= {"points_xy": [point[:2] for point in points], "labels": [int(point[2]) for point in points]}
    return [Prompt(**parts, box_xyxy=np.array(box, np.float32)) for box in boxes] or [Prompt(**parts)]


def _parse_point(text: str) -> list[float]:
    values = _parse_numbers(text, "--point", (2, 3))
    if len(values) == 2:
        return [*values, 1.0]
    if values[2] not in (0.0, 1.0):
        raise PromptError(f"--point {text}: the label is {values[2]:g}, expected 1 (foreground) or 0 (background)")
    return values


def _parse_numbers(text: str, option: str, counts: Sequence[int]) -> list[float]:
    form = {(4,): "x0,y0,x1,y1", (2, 3): "x,y or x,y,label"}[tuple(counts)]
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in counts or not all(math.isfinite(value) for value in values):
        raise PromptError(f"{option} {text!r} is not {form} in pixels, for example {_EXAMPLES[option]}")
    return values


_EXAMPLES = {"--point": "--point 300,180", "--box": "--box 170,15,430,325"}


def _read_mask(path: Path) -> Any:
    """(H, W) bool from a PNG of one channel."""
    from anymask.dataset.formats.png import decode_labels
    from anymask.errors import MaskError

    try:
        return decode_labels(path.read_bytes()) > 0
    except OSError as error:
        raise MaskError(f"--mask {path} cannot be read ({error.strerror}); give a one-channel PNG") from error
    except MaskError as error:
        raise MaskError(f"--mask {path}: {error}") from error


def check_fit(prompts: Sequence[Prompt], size_hw: tuple[int, int]) -> None:
    """Refuse prompts that cannot be about a picture of `size_hw`: the model would answer, and nobody would notice.

    Raises: PromptError.
    """
    height, width = size_hw
    for prompt in prompts:
        for x, y in () if prompt.points_xy is None else prompt.points_xy.tolist():
            if not (0 <= x <= width and 0 <= y <= height):
                raise PromptError(f"the point {x:g},{y:g} lies outside the picture of {width} x {height} pixels")
        if prompt.box_xyxy is not None:
            x0, y0, x1, y1 = prompt.box_xyxy.tolist()
            if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
                raise PromptError(
                    f"the box {x0:g},{y0:g},{x1:g},{y1:g} lies outside the picture of {width} x {height} pixels"
                )
        if prompt.mask is not None and prompt.mask.shape != (height, width):
            raise PromptError(
                f"the mask has {prompt.mask.shape[1]} x {prompt.mask.shape[0]} pixels, "
                f"the picture {width} x {height}; give a mask of the picture's size"
            )


def to_plain(prompt: Prompt) -> dict[str, Any]:
    """The prompt for JSON: points as [x, y, label], box as [x0, y0, x1, y1], and whether a mask was given."""
    plain: dict[str, Any] = {}
    if prompt.points_xy is not None and prompt.labels is not None:
        labels = prompt.labels.tolist()
        plain["points"] = [[*point, label] for point, label in zip(prompt.points_xy.tolist(), labels, strict=True)]
    if prompt.box_xyxy is not None:
        plain["box"] = prompt.box_xyxy.tolist()
    if prompt.mask is not None:
        plain["mask"] = True
    return plain
