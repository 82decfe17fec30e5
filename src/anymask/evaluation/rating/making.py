"""A rating study made: annotated masks are drawn, every column is asked with the same prompts, all is kept on disk.

Source: after SAM (arXiv 2304.02643) appendix E: 1,000 masks a set of 24^2 px or more, pictures of at most 2,000 px a
side, the middle of the mask or its box, and the annotated masks rated beside the others.
"""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anymask.dataset.labelled import Data, picture_names, read_data
from anymask.dataset.pictures import encode_jpeg, nearest_mask, shrink
from anymask.dataset.record import Record
from anymask.errors import ConfigError, DatasetError, ImageError, RunError
from anymask.evaluation.asking import Questions
from anymask.evaluation.rating.finished import Box, FinishedColumn, Place
from anymask.evaluation.rating.guide import PromptKind
from anymask.evaluation.rating.study import (
    PICTURES,
    TRUTH,
    RatingConfig,
    Study,
    StudyPicture,
    StudyTarget,
    row_file,
    write_study,
)
from anymask.evaluation.results import record_hash
from anymask.evaluation.rows import RowFile
from anymask.evaluation.segmenter import ModelSegmenter, Segmenter
from anymask.evaluation.spread import in_order
from anymask.evaluation.targets import TargetConfig, choose_targets
from anymask.images.load import load_image
from anymask.images.sniff import SUFFIXES
from anymask.images.upright import to_upright_file
from anymask.masks.boxes import mask_to_box
from anymask.masks.rle import decode, encode
from anymask.masks.sets import set_from_masks
from anymask.masks.types import Rle
from anymask.predict.tasks.instances import segment_boxes
from anymask.prompts.clicks import most_interior_point
from anymask.prompts.types import Prompt
from anymask.runs import write_atomically

Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures in all)."""
_SAME_BOX_PX = 0.5
"""Boxes of two finished columns are the same when no edge is further apart."""
_MASKS_AT_ONCE = 32
"""Bounds memory: masks at the picture's size that are held together."""


def make_study(
    config: RatingConfig,
    data: Sequence[Data],
    columns: Sequence[Segmenter | FinishedColumn],
    out: Path,
    *,
    progress: Progress | None = None,
    workers: int = 1,
) -> Study:
    """The study in `out`, made of annotated masks of `data`, a rating job for each of them and each column, and for the
    annotated mask itself. What was found stays there when it is stopped, and a second run goes on.

    Raises: ConfigError for no column, two of one name, or one that does not take the prompt; DatasetError when nothing
    can be drawn, or data is damaged; RunError when `out` holds a study of other settings or cannot be written.
    """
    _check(columns, config.prompt)
    settings = f"{config} {[(column.name, column.fingerprint) for column in columns]}"
    file = row_file(out, settings)
    finished = [column for column in columns if isinstance(column, FinishedColumn)]
    asked = tuple(column for column in columns if not isinstance(column, FinishedColumn))
    drawn = draw(data, config, finished)
    (out / PICTURES).mkdir(parents=True, exist_ok=True)
    found: list[StudyPicture] = []
    names = (*(column.name for column in columns), TRUTH)
    tasks = _unanswered(data, drawn.masks, file, found)
    for _, outcome in in_order(_ask_record, (asked, names, config, out), tasks, workers):
        file.add(outcome)
        found.append(outcome)
        if progress is not None:
            progress(len(found), len(drawn.masks))
    facts = {
        "fingerprints": {column.name: column.fingerprint for column in columns},
        "left_out": {"not answered by every finished column": drawn.unanswered, "other boxes": drawn.other_boxes},
    }
    found.sort(key=lambda picture: picture.picture)
    return write_study(out, config, names, found, facts)


@dataclass(frozen=True, slots=True)
class DrawnMask:
    """One annotated mask that will be rated."""

    place: Place
    box_xyxy: Box | None
    """The box that finished columns answered, original pixels; None where there are none, or they answered clicks."""
    answers: dict[str, Rle]
    """What finished columns made of it, by column, at the picture's own size."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What will be rated."""

    masks: dict[str, tuple[DrawnMask, ...]]
    """By picture; only pictures with any."""
    unanswered: int = 0
    """Annotated masks that could not be drawn because a finished column has no answer for them."""
    other_boxes: int = 0
    """Those that finished columns answered for boxes that differ."""


def draw(data: Sequence[Data], config: RatingConfig, finished: Sequence[FinishedColumn] = ()) -> Drawn:
    """Of each set at most `masks_per_set` annotated masks, each as likely as any other; of finished columns those
    alone that all of them answered for the same box or click.

    Raises: DatasetError when there is none, a picture comes twice, or an annotation is damaged.
    """
    names = [name for one in data for name in picture_names(one)]
    if len(set(names)) != len(names):
        raise DatasetError("a picture comes twice in the data given; give each shard or folder once")
    by_set: dict[str, list[tuple[str, DrawnMask]]] = {}
    unanswered = other_boxes = 0
    for record in read_data(data):
        try:
            targets = choose_targets(record, _target_config(record, config))
        except ImageError as error:
            raise DatasetError(f"{record.name} cannot be read: {error}; take it out of the data") from error
        answered = {column.name: column.answers(record, targets) for column in finished}
        for target in targets:
            place = (target.map_index, target.label)
            answers = {name: own[place] for name, own in answered.items() if place in own}
            if len(answers) < len(finished):
                unanswered += 1
                continue
            box, is_one = _common_box([one.box_xyxy for one in answers.values()])
            if not is_one:
                other_boxes += 1
                continue
            mask = DrawnMask(place, box, {name: one.mask for name, one in answers.items()})
            by_set.setdefault(record.set_name, []).append((record.name, mask))
    chosen = _choose(by_set, config)
    if not chosen:
        raise DatasetError(
            f"no annotated mask of {config.min_area_px} px or more can be drawn ({unanswered} that not every finished "
            f"column answered, {other_boxes} answered for other boxes); give other data, or a smaller --min-area"
        )
    return Drawn(chosen, unanswered, other_boxes)


def _choose(by_set: dict[str, list[tuple[str, DrawnMask]]], config: RatingConfig) -> dict[str, tuple[DrawnMask, ...]]:
    """Of each set's (picture, mask) at most `masks_per_set`, by picture, in order of place."""
    chosen: dict[str, list[DrawnMask]] = {}
    for set_name, masks in by_set.items():
        rng = np.random.default_rng([config.seed, zlib.crc32(set_name.encode())])
        for index in rng.permutation(len(masks))[: config.masks_per_set]:
            chosen.setdefault(masks[index][0], []).append(masks[index][1])
    return {name: tuple(sorted(several, key=lambda one: one.place)) for name, several in chosen.items()}


def _common_box(boxes: Sequence[Box | None]) -> tuple[Box | None, bool]:
    """The box that finished columns answered for, None for the click, and whether all answered the same."""
    known = [box for box in boxes if box is not None]
    if len(known) < len(boxes):
        return None, not known
    apart = (abs(a - b) for box in known for a, b in zip(box, known[0], strict=True))
    return (known[0] if known else None), all(edge <= _SAME_BOX_PX for edge in apart)


def _target_config(record: Record, config: RatingConfig) -> TargetConfig:
    """The least area in the picture's own pixels, so that it is met as raters see it."""
    scale = min(1.0, config.max_side_px / max(record.size_hw()))
    least = max(1, math.ceil(config.min_area_px / scale**2))
    return TargetConfig(min_area_px=least, max_area_share=1.0, per_picture=None)


def _check(columns: Sequence[Segmenter | FinishedColumn], prompt: PromptKind) -> None:
    names = [column.name for column in columns]
    if not names or len(set(names)) != len(names) or TRUTH in names:
        raise ConfigError(
            f"a study needs at least one column, each with its own name, none called {TRUTH!r}; got {names}"
        )
    for column in columns:
        if isinstance(column, FinishedColumn):
            takes = column.prompt == prompt
        else:
            takes = column.takes_points if prompt == "point" else column.takes_boxes
        if not takes:
            what = "clicks" if prompt == "point" else "boxes"
            raise ConfigError(f"{column.name} does not answer {what}; leave it out, or ask for the other kind")


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """One picture that has to be asked about."""

    record: Record
    sha256: str
    masks: tuple[DrawnMask, ...]


def _unanswered(
    data: Sequence[Data],
    drawn: dict[str, tuple[DrawnMask, ...]],
    file: RowFile[StudyPicture],
    found: list[StudyPicture],
) -> Iterator[_Task]:
    """The pictures that have to be asked about; those that the file knows already go into `found`."""
    for record in read_data(data):
        masks = drawn.get(record.name)
        if masks is None:
            continue
        sha256 = record_hash(record)
        kept = file.get(record.name, sha256)
        if kept is not None and [(one.map_index, one.label) for one in kept.targets] == [one.place for one in masks]:
            found.append(kept)
        else:
            yield _Task(record, sha256, masks)


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """A picture as raters see it."""

    pixels: npt.NDArray[np.uint8]
    truths: list[Rle]
    file: str


def _ask_record(shared: tuple[Sequence[Segmenter], Sequence[str], RatingConfig, Path], task: _Task) -> StudyPicture:
    columns, names, config, out = shared
    view = _view(task.record, [one.place for one in task.masks], config, out)
    size_hw = (view.pixels.shape[0], view.pixels.shape[1])
    targets = [
        _prompted(mask, truth, config.prompt, size_hw) for mask, truth in zip(task.masks, view.truths, strict=True)
    ]
    masks = [
        {TRUTH: truth, **{name: _at_size(answer, size_hw) for name, answer in mask.answers.items()}}
        for mask, truth in zip(task.masks, view.truths, strict=True)
    ]
    for column in columns:
        for index, answer in enumerate(ask(column, view.pixels, targets)):
            masks[index][column.name] = answer
    return StudyPicture(
        picture=task.record.name,
        sha256=task.sha256,
        file=view.file,
        size_hw=size_hw,
        targets=tuple(
            replace(target, masks={name: own[name] for name in names})
            for target, own in zip(targets, masks, strict=True)
        ),
    )


def _at_size(mask: Rle, size_hw: tuple[int, int]) -> Rle:
    return mask if mask.size_hw == size_hw else encode(nearest_mask(decode(mask), size_hw))


def _view(record: Record, places: Sequence[Place], config: RatingConfig, out: Path) -> _View:
    loaded = load_image(record.image_bytes)
    maps = record.label_maps()
    truths = set_from_masks(np.stack([maps[index] == label for index, label in places]))
    height, width = loaded.size_hw
    longest = max(height, width)
    if longest > config.max_side_px:
        shortest = max(1, round(min(height, width) * config.max_side_px / longest))
        pixels, truths, kept = shrink(loaded.pixels, truths, shortest)
        assert len(kept) == len(places), "masks of the least area do not vanish"
        data, suffix = encode_jpeg(pixels), ".jpg"
    else:
        pixels, upright = loaded.pixels, to_upright_file(record.image_bytes, loaded)
        data, suffix = upright.data, SUFFIXES[upright.media_type]
    name = hashlib.sha256(data).hexdigest()[:16] + suffix
    path = out / PICTURES / name
    try:
        if not path.exists():
            write_atomically(path, data)
    except OSError as error:
        raise RunError(f"{path} cannot be written ({error.strerror}); make room, then run again") from error
    return _View(pixels, list(truths.rles), name)


def _prompted(drawn: DrawnMask, truth: Rle, prompt: PromptKind, size_hw: tuple[int, int]) -> StudyTarget:
    """The prompt in the frame of the picture as raters see it, `size_hw`."""
    mask = decode(truth)
    point = most_interior_point(mask) if prompt == "point" else None
    box = None
    if drawn.box_xyxy is not None:
        own_hw = next(iter(drawn.answers.values())).size_hw
        box = _scaled(drawn.box_xyxy, size_hw[1] / own_hw[1], size_hw[0] / own_hw[0])
    elif prompt == "box":
        box = _scaled(mask_to_box(mask), 1, 1)
    return StudyTarget(map_index=drawn.place[0], label=drawn.place[1], point_xy=point, box_xyxy=box, masks={})


def _scaled(box_xyxy: Iterable[float], across: float, down: float) -> Box:
    x0, y0, x1, y1 = (float(edge) for edge in box_xyxy)
    return x0 * across, y0 * down, x1 * across, y1 * down


def ask(segmenter: Segmenter, pixels: npt.NDArray[np.uint8], targets: Sequence[StudyTarget]) -> list[Rle]:
    """The segmenter's mask for each prompt on the (H, W, 3) uint8 RGB picture: of a click the most confident of three,
    of a box a model's refined answer (as in instance segmentation) or another segmenter's single one."""
    questions = Questions(segmenter, pixels)
    found: list[Rle] = []
    for start in range(0, len(targets), _MASKS_AT_ONCE):
        several = targets[start : start + _MASKS_AT_ONCE]
        if several[0].point_xy is None and isinstance(segmenter, ModelSegmenter):
            found += segment_boxes(segmenter.predictor, np.array([one.box_xyxy for one in several], np.float32)).rles
            continue
        answers = questions.ask([_prompt(one) for one in several], multimask=several[0].point_xy is not None)
        found += [encode(answer.masks[answer.best]) for answer in answers]
    return found


def _prompt(target: StudyTarget) -> Prompt:
    given: Any = {"box_xyxy": np.array(target.box_xyxy, np.float32)}
    if target.point_xy is not None:
        given = {"points_xy": np.array([target.point_xy], np.float32)}
    return Prompt(**given)
