"""Pictures of an evaluation to look at: the best, the middle and the worst, answer beside truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from anymask.errors import DatasetError
from anymask.evaluation.answering import PictureScore
from anymask.evaluation.pictures import LabelledPictures
from anymask.figures import Gallery, Heading, Picture, overlay
from anymask.figures.pages import Block
from anymask.images.load import load_image
from anymask.masks.rle import decode

SHOWN = 3
"""Pictures of each kind."""
_GAP_PX = 6

T = TypeVar("T")


def best_middle_worst(ranked: Sequence[T], count: int) -> dict[str, list[T]]:
    """`count` from the start, around the middle, and from the end (the very last first) of `ranked`, best first; none
    twice, so fewer of each when there are few.

    >>> best_middle_worst("abcdefg", 2)
    {'Best': ['a', 'b'], 'Median': ['d', 'e'], 'Worst': ['g', 'f']}
    >>> best_middle_worst("ab", 2)
    {'Best': ['a'], 'Median': [], 'Worst': ['b']}
    """
    each = min(count, max(len(ranked) // 3, min(len(ranked) // 2, 1))) if len(ranked) > 1 else len(ranked)
    middle = (len(ranked) - each + 1) // 2 if len(ranked) >= 3 * each else 0
    return {
        "Best": list(ranked[:each]),
        "Median": list(ranked[middle : middle + each]) if middle >= each else [],
        "Worst": list(ranked[::-1][: each if len(ranked) > 1 else 0]),
    }


def answered_examples(column: str, scores: Sequence[PictureScore], pictures: LabelledPictures) -> list[Block]:
    """Galleries of the pictures that `column` answered best, as in the middle, and worst, by the mean IoU of the answer
    nearest to each annotated mask: those answers on the left, the truth on the right.

    Raises: DatasetError when a picture is not in the data any more.
    """
    ranked = sorted((one for one in scores if one.nearest), key=lambda one: (-one.mean_iou, one.picture))
    chosen = best_middle_worst(ranked, SHOWN)
    wanted = {score.picture: score for several in chosen.values() for score in several}
    drawn = {picture.name: _draw(picture.image_bytes(), wanted[picture.name]) for picture in pictures.take(set(wanted))}
    missing = set(wanted) - set(drawn)
    if missing:
        raise DatasetError(f"{min(missing)} is not in the data as it was evaluated; give the same data")
    blocks: list[Block] = []
    for title, several in chosen.items():
        if several:
            blocks.append(Heading(f"{title}: {column} (left) and truth (right)"))
            blocks.append(Gallery([drawn[score.picture] for score in several]))
    return blocks


def side_by_side(left: npt.NDArray[np.uint8], right: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(H, W1 + gap + W2, 3) uint8: two pictures of one height with white between them."""
    gap = np.full((left.shape[0], _GAP_PX, 3), 255, np.uint8)
    return np.concatenate([left, gap, right], axis=1)


def _draw(image_bytes: bytes, score: PictureScore) -> Picture:
    pixels = load_image(image_bytes).pixels
    nothing = np.zeros(pixels.shape[:2], np.bool_)
    answers = [nothing if one.answer is None else decode(one.answer) for one in score.nearest]
    truths = [decode(one.truth) for one in score.nearest]
    caption = f"mean IoU {score.mean_iou:.3f} - {score.picture}, {len(truths)} masks, {score.answers} answers"
    return Picture(side_by_side(overlay(pixels, answers), overlay(pixels, truths)), caption)
