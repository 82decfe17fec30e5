"""A rating study made: annotated masks are drawn, every column is asked with the same prompts, all is kept on disk.

Source: after SAM (arXiv 2304.02643) appendix E: 1,000 masks a set of 24^2 px or more, pictures of at most 2,000 px a
side, the middle of the mask or its box, and the annotated masks rated beside the others.
"""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anymask.dataset.labelled import Data, picture_names, read_data
from anymask.dataset.pictures import encode_jpeg, shrink
from anymask.dataset.record import Record
from anymask.errors import ConfigError, DatasetError, ImageError, RunError
from anymask.evaluation.asking import Questions
from anymask.evaluation.rating.finished import FinishedColumn
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
Place = tuple[int, int]
"""(map index, label) of an annotated mask in its picture."""
Drawn = dict[str, tuple[Place, ...]]
"""By picture, the annotated masks that were drawn; only pictures with any."""
_MASKS_AT_ONCE = 32
"""Bounds memory: masks at the picture's size that are held together."""
_SUFFIX = {"image/jpeg": ".jpg", "image/webp": ".webp", "image/png": ".png"}


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
    known = [column for column in columns if isinstance(column, FinishedColumn)]
    drawn = draw(data, config, known)
    (out / PICTURES).mkdir(parents=True, exist_ok=True)
    found: list[StudyPicture] = []
    tasks = _unanswered(data, drawn, file, found)
    for _, outcome in in_order(_ask_record, (tuple(columns), config, out), tasks, workers):
        file.add(outcome)
        found.append(outcome)
        if progress is not None:
            progress(len(found), len(drawn))
    facts = {"fingerprints": {column.name: column.fingerprint for column in columns}}
    found.sort(key=lambda picture: picture.picture)
    return write_study(out, config, [*(column.name for column in columns), TRUTH], found, facts)


def draw(data: Sequence[Data], config: RatingConfig, finished: Sequence[FinishedColumn] = ()) -> Drawn:
    """Of each set at most `masks_per_set` annotated masks, each as likely as any other; of finished columns those
    alone that all of them answered.

    Raises: DatasetError when there is none, a picture comes twice, or an annotation is damaged.
    """
    names = [name for one in data for name in picture_names(one)]
    if len(set(names)) != len(names):
        raise DatasetError("a picture comes twice in the data given; give each shard or folder once")
    by_set: dict[str, list[tuple[str, Place]]] = {}
    for record in read_data(data):
        try:
            targets = choose_targets(record, _target_config(record, config))
        except ImageError as error:
            raise DatasetError(f"{record.name} cannot be read: {error}; take it out of the data") from error
        for target in targets:
            place = (target.map_index, target.label)
            if all(column.has(record, place) for column in finished):
                by_set.setdefault(record.set_name, []).append((record.name, place))
    chosen: dict[str, list[Place]] = {}
    for set_name, masks in by_set.items():
        rng = np.random.default_rng([config.seed, zlib.crc32(set_name.encode())])
        for index in rng.permutation(len(masks))[: config.masks_per_set]:
            chosen.setdefault(masks[index][0], []).append(masks[index][1])
    if not chosen:
        raise DatasetError(
            f"no annotated mask of {config.min_area_px} px or more was found (or none that every finished column "
            "answered); give other data, or a smaller --min-area"
        )
    return {name: tuple(sorted(places)) for name, places in chosen.items()}


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
        if not (column.takes_points if prompt == "point" else column.takes_boxes):
            what = "clicks" if prompt == "point" else "boxes"
            raise ConfigError(f"{column.name} does not answer {what}; leave it out, or ask for the other kind")


def _unanswered(
    data: Sequence[Data], drawn: Drawn, file: RowFile[StudyPicture], found: list[StudyPicture]
) -> Iterator[tuple[Record, tuple[Place, ...]]]:
    """The pictures that have to be asked about; those that the file knows already go into `found`."""
    for record in read_data(data):
        places = drawn.get(record.name)
        if places is None:
            continue
        kept = file.get(record.name, record_hash(record))
        if kept is not None and tuple((one.map_index, one.label) for one in kept.targets) == places:
            found.append(kept)
        else:
            yield record, places


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """A picture as raters see it."""

    pixels: npt.NDArray[np.uint8]
    truths: list[Rle]
    file: str


def _ask_record(
    shared: tuple[Sequence[Segmenter | FinishedColumn], RatingConfig, Path], task: tuple[Record, tuple[Place, ...]]
) -> StudyPicture:
    columns, config, out = shared
    record, places = task
    view = _view(record, places, config, out)
    targets = [_prompted(place, truth, config.prompt) for place, truth in zip(places, view.truths, strict=True)]
    size_hw = (view.pixels.shape[0], view.pixels.shape[1])
    masks: list[dict[str, Rle]] = [{} for _ in places]
    for column in columns:
        if isinstance(column, FinishedColumn):
            answers = column.masks(record, places, size_hw)
        else:
            answers = ask(column, view.pixels, targets)
        for index, mask in enumerate(answers):
            masks[index][column.name] = mask
    for index, truth in enumerate(view.truths):
        masks[index][TRUTH] = truth
    return StudyPicture(
        picture=record.name,
        sha256=record_hash(record),
        file=view.file,
        size_hw=size_hw,
        targets=tuple(replace(target, masks=masks[index]) for index, target in enumerate(targets)),
    )


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
        data, suffix = upright.data, _SUFFIX[upright.media_type]
    name = hashlib.sha256(data).hexdigest()[:16] + suffix
    path = out / PICTURES / name
    try:
        if not path.exists():
            write_atomically(path, data)
    except OSError as error:
        raise RunError(f"{path} cannot be written ({error.strerror}); make room, then run again") from error
    return _View(pixels, list(truths.rles), name)


def _prompted(place: Place, truth: Rle, prompt: PromptKind) -> StudyTarget:
    mask = decode(truth)
    point = most_interior_point(mask) if prompt == "point" else None
    edges = None if prompt == "point" else [float(edge) for edge in mask_to_box(mask)]
    box = None if edges is None else (edges[0], edges[1], edges[2], edges[3])
    return StudyTarget(map_index=place[0], label=place[1], point_xy=point, box_xyxy=box, masks={})


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
