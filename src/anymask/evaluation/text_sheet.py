"""The sheet of the text experiment, like the paper's figure: a phrase, its mask, and the mask with one click more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anymask.errors import DatasetError
from anymask.evaluation.examples import SHOWN, best_middle_worst, side_by_side
from anymask.evaluation.pictures import LabelledPictures
from anymask.evaluation.protocols.text import PhraseScore, TextResult
from anymask.figures import Gallery, Heading, Picture, overlay
from anymask.figures.pages import Block
from anymask.images.load import load_image
from anymask.masks.rle import decode
from anymask.prompts.types import Prompt


def text_sheet(column: str, results: Sequence[TextResult], pictures: LabelledPictures) -> list[Block]:
    """Galleries of the phrases that `column` answered best, as in the middle, and worst: text alone on the left, text
    and a click on the right (where it takes clicks).

    Raises: DatasetError when a picture is not in the data any more.
    """
    pairs = [(result.picture, score) for result in results for score in result.phrases]
    ranked = sorted(pairs, key=lambda pair: (-pair[1].nearest, pair[0], pair[1].phrase))
    chosen = best_middle_worst(ranked, SHOWN)
    wanted = {name for several in chosen.values() for name, _ in several}
    found = {picture.name: picture.image_bytes() for picture in pictures.take(wanted)}
    if wanted - set(found):
        raise DatasetError(f"{min(wanted - set(found))} is not in the data as it was evaluated; give the same data")
    blocks: list[Block] = []
    for title, several in chosen.items():
        if several:
            blocks.append(Heading(f"{title}: {column}, text alone (left) and with a click (right)"))
            blocks.append(Gallery([_draw(found[name], name, score) for name, score in several]))
    return blocks


def _draw(image_bytes: bytes, name: str, score: PhraseScore) -> Picture:
    pixels = load_image(image_bytes).pixels
    drawn = overlay(pixels, [decode(score.mask)])
    caption = f"'{score.phrase}' IoU {score.nearest:.3f}"
    if score.mask_with_point is not None and score.with_point is not None:
        click = Prompt(points_xy=np.array([score.click_xy]))
        drawn = side_by_side(drawn, overlay(pixels, [decode(score.mask_with_point)], prompts=[click]))
        caption += f", with a click {score.with_point:.3f}"
    return Picture(drawn, f"{caption} - {name}")
