"""The prompts of the points experiment, asked of one segmenter about one picture, its targets together."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from time import perf_counter
from typing import Literal

import numpy as np
import numpy.typing as npt

from anymask.dataset.record import Record
from anymask.evaluation.metrics import iou_of_each
from anymask.evaluation.results import BoxScores, ClickScores, PictureResult, TargetResult, record_hash
from anymask.evaluation.segmenter import Answer, Segmenter, predict_many
from anymask.evaluation.targets import Target, TargetConfig, choose_targets
from anymask.masks.boxes import mask_to_box
from anymask.masks.rle import encode
from anymask.prompts.clicks import most_interior_point, next_click
from anymask.prompts.simulate import ClickConfig, random_point
from anymask.prompts.types import FOREGROUND, Prompt

FirstClick = Literal["centre", "random"]
Point = tuple[float, float]
_TARGETS_AT_ONCE = 32
"""Bounds memory: their masks at the picture's own size are held together."""


class Questions:
    """One segmenter on one picture, with the seconds it takes."""

    def __init__(self, segmenter: Segmenter, pixels: npt.NDArray[np.uint8]) -> None:
        """Show it the (H, W, 3) uint8 RGB picture."""
        self.segmenter = segmenter
        start = perf_counter()
        segmenter.set_image(pixels)
        self.seconds = perf_counter() - start
        """Spent in the segmenter so far."""

    def ask(self, prompts: Sequence[Prompt], *, multimask: bool) -> list[Answer]:
        """The answers, in order."""
        start = perf_counter()
        answers = predict_many(self.segmenter, prompts, multimask=multimask)
        self.seconds += perf_counter() - start
        return answers


def ask_picture(
    segmenter: Segmenter,
    record: Record,
    targets: TargetConfig,
    *,
    clicks: int,
    first_click: FirstClick = "centre",
    sha256: str | None = None,
) -> PictureResult:
    """One segmenter's scores on one picture, with up to `clicks` clicks a target; `sha256` is its `record_hash` where
    that is known already.

    Raises: ImageError or DatasetError for a damaged picture or label map.
    """
    chosen = choose_targets(record, targets)
    scored: list[TargetResult] = []
    model_s, start = 0.0, perf_counter()
    if chosen:
        pixels = record.pixels()
        start = perf_counter()
        questions = Questions(segmenter, pixels)
        for place in range(0, len(chosen), _TARGETS_AT_ONCE):
            several = chosen[place : place + _TARGETS_AT_ONCE]
            points = [first_point(target, record.name, first_click, targets.seed) for target in several]
            scored += _ask_targets(questions, several, points, clicks)
        model_s = questions.seconds
    return PictureResult(
        picture=record.name,
        sha256=sha256 or record_hash(record),
        targets=tuple(scored),
        model_s=model_s,
        scoring_s=perf_counter() - start - model_s,
    )


def first_point(target: Target, picture: str, first_click: FirstClick, seed: int) -> Point:
    """(x, y) of the first click, a pixel's centre (+.5), original pixels: the most interior one, or one drawn uniformly
    from the mask, the same whenever this target of this picture is asked for."""
    if first_click == "centre":
        return most_interior_point(target.mask)
    rng = np.random.default_rng([seed, zlib.crc32(picture.encode()), target.map_index, target.label])
    x, y = random_point(target.mask, ClickConfig(), rng)
    return x + 0.5, y + 0.5


def _ask_targets(
    questions: Questions, targets: Sequence[Target], points: Sequence[Point], clicks: int
) -> list[TargetResult]:
    masks = [target.mask for target in targets]
    nothing = [None] * len(targets)
    clicked = _ask_clicks(questions, masks, points, clicks) if questions.segmenter.takes_points else nothing
    boxed = _ask_boxes(questions, masks) if questions.segmenter.takes_boxes else nothing
    return [
        TargetResult(map_index=target.map_index, label=target.label, area_px=target.area_px, clicks=click, box=box)
        for target, click, box in zip(targets, clicked, boxed, strict=True)
    ]


def _ask_clicks(
    questions: Questions, masks: Sequence[npt.NDArray[np.bool_]], first: Sequence[Point], count: int
) -> list[ClickScores]:
    """Click once, then again and again on the deepest error; from the second click on, ask for one mask."""
    points: list[list[Point]] = [[point] for point in first]
    labels = [[FOREGROUND] for _ in masks]
    prompts = [_prompt(*pair, None) for pair in zip(points, labels, strict=True)]
    answers = questions.ask(prompts, multimask=True)
    of_first = [iou_of_each(answer.masks, mask) for answer, mask in zip(answers, masks, strict=True)]
    shown = [encode(answer.masks[answer.best]) for answer in answers]
    curves = [[float(ious[answer.best])] for ious, answer in zip(of_first, answers, strict=True)]
    for _ in range(1, count):
        prompts = []
        for index, (answer, mask) in enumerate(zip(answers, masks, strict=True)):
            point, label = next_click(answer.masks[answer.best], mask)
            points[index].append(point)
            labels[index].append(label)
            logits = None if answer.logits is None else answer.logits[answer.best]
            prompts.append(_prompt(points[index], labels[index], logits))
        answers = questions.ask(prompts, multimask=False)
        for curve, answer, mask in zip(curves, answers, masks, strict=True):
            curve.append(float(iou_of_each(answer.masks, mask)[answer.best]))
    return [
        ClickScores(confident=curve[0], oracle=float(ious.max()), curve=tuple(curve), mask=mask, first_xy=point)
        for curve, ious, mask, point in zip(curves, of_first, shown, first, strict=True)
    ]


def _ask_boxes(questions: Questions, masks: Sequence[npt.NDArray[np.bool_]]) -> list[BoxScores]:
    prompts = [Prompt(box_xyxy=mask_to_box(mask)) for mask in masks]
    single = questions.ask(prompts, multimask=False)
    several = questions.ask(prompts, multimask=True) if questions.segmenter.gives_three else single
    found = []
    for mask, one, three in zip(masks, single, several, strict=True):
        ious = iou_of_each(three.masks, mask)
        found.append(
            BoxScores(
                single=float(iou_of_each(one.masks, mask)[one.best]),
                confident=float(ious[three.best]),
                oracle=float(ious.max()),
                mask=encode(one.masks[one.best]),
            )
        )
    return found


def _prompt(points: Sequence[Point], labels: Sequence[int], logits: npt.NDArray[np.float32] | None) -> Prompt:
    return Prompt(points_xy=np.array(points, np.float32), labels=np.array(labels, np.int64), mask_logits=logits)
