"""The best and the worst masks of an evaluation beside the truth, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from anymask.dataset.labelled import Data, read_data
from anymask.dataset.record import Record
from anymask.errors import DatasetError
from anymask.evaluation.examples import side_by_side
from anymask.evaluation.protocols.points import PointsResult
from anymask.evaluation.results import PictureResult, TargetResult, record_hash
from anymask.figures import Gallery, Heading, Picture, overlay
from anymask.masks.boxes import mask_to_box
from anymask.masks.rle import decode
from anymask.prompts.types import Prompt

SHOWN = 4
"""Best masks, and worst masks, shown of each set."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """One mask to show."""

    result: PictureResult
    target: TargetResult
    measure: str
    iou: float


def picture_blocks(result: PointsResult, data: Sequence[Data]) -> list[Heading | Gallery]:
    """For each set galleries of the first column: answer on the left, truth on the right; the worst masks, median ones,
    the best.

    Raises: DatasetError when `data` does not hold a picture as it was evaluated.
    """
    column, results = next(iter(result.columns.items()))
    chosen = {name: choose(list(rows)) for name, rows in groupby(sorted(results, key=_set_of), key=_set_of)}
    wanted = {one.result.picture for kinds in chosen.values() for several in kinds.values() for one in several}
    records = {record.name: record for record in read_data(data) if record.name in wanted}
    blocks: list[Heading | Gallery] = []
    for name, kinds in chosen.items():
        for title, shown in kinds.items():
            if shown:
                blocks.append(Heading(f"{title} of {name}: {column} (left) and truth (right)"))
                blocks.append(Gallery([_picture(records.get(one.result.picture), one) for one in shown]))
    return blocks


def choose(results: Sequence[PictureResult], count: int = SHOWN) -> dict[str, list[_Shown]]:
    """The `count` best, median and worst masks of first clicks (of boxes, for a segmenter that takes no clicks), one a
    picture on each side, the most extreme first; ties by picture name."""
    shown = [
        _Shown(result, target, measure, iou)
        for result in results
        for target in result.targets
        for measure in ("click" if target.clicks is not None else "box",)
        if (iou := target.score(measure)) is not None
    ]
    ranked = sorted(shown, key=lambda one: (one.iou, one.result.picture, one.target.map_index, one.target.label))
    worst, best = _one_a_picture(ranked, count), _one_a_picture(ranked[::-1], count)
    middle = ranked[max(0, (len(ranked) - count) // 2) :] if len(ranked) > 2 * count else []
    return {"Worst": worst, "Median": _one_a_picture(middle, count), "Best": best}


def _one_a_picture(ranked: Sequence[_Shown], count: int) -> list[_Shown]:
    first: dict[str, _Shown] = {}
    for one in ranked:
        first.setdefault(one.result.picture, one)
    return list(first.values())[:count]


def _picture(record: Record | None, shown: _Shown) -> Picture:
    if record is None or record_hash(record) != shown.result.sha256:
        raise DatasetError(
            f"{shown.result.picture} is not in the data as it was evaluated; give the same shards and folders"
        )
    target, pixels = shown.target, record.pixels()
    truth = record.label_maps()[target.map_index] == target.label
    if target.clicks is not None:
        mask, prompt = decode(target.clicks.mask), Prompt(points_xy=np.array([target.clicks.first_xy]))
    else:
        assert target.box is not None
        mask, prompt = decode(target.box.mask), Prompt(box_xyxy=mask_to_box(truth))
    caption = f"IoU {shown.iou:.3f} - {record.name}, map {target.map_index}, label {target.label}, {target.area_px} px"
    return Picture(side_by_side(overlay(pixels, [mask], prompts=[prompt]), overlay(pixels, [truth])), caption)


def _set_of(result: PictureResult) -> str:
    return result.set_name
