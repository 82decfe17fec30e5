"""Results of two models on pictures, made up: what the gate and the scores are tested with."""

from __future__ import annotations

from collections.abc import Sequence

from anymask.evaluation.results import BoxScores, ClickScores, PictureResult, TargetResult
from anymask.masks.types import Rle

_MASK = Rle((3, 3), b"9")


def results(clicks: Sequence[float], boxes: Sequence[float] | None = None) -> list[PictureResult]:
    """A picture for each click IoU, of two sets in turn; every later click is better by .1."""
    boxes = boxes or [0.7] * len(clicks)
    return [
        PictureResult(
            picture=f"{'ab'[place % 2]}/{place}",
            sha256="0",
            targets=(
                TargetResult(
                    map_index=0,
                    label=1,
                    area_px=9,
                    clicks=ClickScores(
                        confident=click,
                        oracle=click,
                        curve=tuple(min(1.0, click + 0.1 * step) for step in range(5)),
                        mask=_MASK,
                        first_xy=(1.5, 1.5),
                    ),
                    box=BoxScores(single=box, confident=box, oracle=box, mask=_MASK),
                ),
            ),
        )
        for place, (click, box) in enumerate(zip(clicks, boxes, strict=True))
    ]
