"""Whole pictures answered with masks and matched with what is annotated: the loop under proposals and instances.

One picture is in memory at a time; of each, matches and the mask that came nearest to every annotated one are kept.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from anymask.errors import ConfigError, DatasetError, ImageError, MaskError
from anymask.evaluation.matching import (
    IOU_THRESHOLDS,
    Bools,
    MatchConfig,
    PictureAnswers,
    PictureMatches,
    PictureTruth,
    match_picture,
)
from anymask.evaluation.pictures import LabelledPicture, LabelledPictures, draw, image_hash, truth_hash
from anymask.evaluation.rows import RowFile
from anymask.images.load import LoadedImage, load_image
from anymask.masks.boxes import iou_matrix, rles_to_boxes
from anymask.masks.overlap import rle_iou_matrix
from anymask.masks.rle import from_json, to_json
from anymask.masks.types import Rle

Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures in all)."""
BOX_FOUND = 0.5
"""IoU from which a given box counts as one of an annotated mask; our choice."""


class Answerer(Protocol):
    """One column: something that answers a picture with masks."""

    @property
    def name(self) -> str:
        """The column's heading; unique in an evaluation, and usable as a file name."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes with anything that changes answers: results of another one are not used again."""
        ...

    def answer(self, picture: LabelledPicture, image: LoadedImage, truth: PictureTruth, /) -> PictureAnswers:
        """Its masks for the picture. `truth` is for columns that are given boxes of it; others must not look."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Boxed:
    """The answer to the box that lies nearest to an annotated mask's own."""

    box_xyxy: tuple[float, float, float, float]
    """The box, original pixels."""
    answer: Rle


@dataclass(frozen=True, kw_only=True, slots=True)
class Nearest:
    """The answer that overlaps an annotated mask most."""

    truth: Rle
    category: int
    answer: Rle | None
    """None when no answer overlaps it at all."""
    iou: float
    boxed: Boxed | None = None
    """What was answered to the box nearest to the annotated mask's own, which need not be the answer above; None where
    answers are of no boxes, or no box lies within IoU `BOX_FOUND`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureScore:
    """What one column found in one picture."""

    picture: str
    """`SET/ID`."""
    sha256: str
    """Changes with the picture and its annotation."""
    answers: int
    """How many masks it gave."""
    matches: PictureMatches = field(compare=False)
    nearest: tuple[Nearest, ...]
    """For each annotated mask that is no crowd."""
    image_sha256: str = ""
    """First 16 digits of the hash of the picture's file; empty in results of earlier versions."""
    model_s: float = field(compare=False)
    """Seconds the column took."""
    scoring_s: float = field(compare=False)
    """Seconds the matching took."""

    @property
    def mean_iou(self) -> float:
        """Of the nearest answers; NaN where nothing is annotated."""
        return float(np.mean([one.iou for one in self.nearest])) if self.nearest else float("nan")


@dataclass(frozen=True, kw_only=True, slots=True)
class AnsweringConfig:
    """What is matched, and on which pictures."""

    matching: MatchConfig
    """How answers find masks."""
    max_pictures: int | None = None
    """Most pictures of each set, a fixed draw; all when None."""
    for_recall_only: bool = False
    """Keep only the answers that found something: what recall needs, and a hundredth of the size."""
    max_bad_share: float = 0.05
    """A larger share of unreadable pictures ends the evaluation with an error; fewer are named and left out."""

    def __post_init__(self) -> None:
        if self.max_pictures is not None and self.max_pictures < 1:
            raise ConfigError(f"AnsweringConfig.max_pictures must be at least 1, got {self.max_pictures}")
        if not 0 <= self.max_bad_share <= 1:
            raise ConfigError(f"AnsweringConfig.max_bad_share must be in [0, 1], got {self.max_bad_share}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """What an evaluation found."""

    columns: dict[str, tuple[PictureScore, ...]]
    """Per column, in the order given, its pictures in the order of the data."""
    bad: tuple[tuple[str, str], ...]
    """Pictures that could not be read, each with the reason; in no score."""


def answer_all(
    config: AnsweringConfig,
    pictures: LabelledPictures,
    columns: Sequence[Answerer],
    *,
    out: Path | None = None,
    progress: Progress | None = None,
) -> Answered:
    """Ask every column about every picture. With `out`, each result is kept in `NAME.jsonl` as soon as it is known, and
    a second run goes on where the first ended.

    Raises: ConfigError for no column, or two of one name; DatasetError for no picture, or more unreadable ones than
    `max_bad_share`; RunError when `out` holds results of other settings.
    """
    names = [column.name for column in columns]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"an evaluation needs at least one column, each with its own name, got {names}")
    wanted = draw(pictures.names(), config.max_pictures)
    if not wanted:
        raise DatasetError("there is no picture in the data given")
    files = {} if out is None else {one.name: score_file(out / f"{one.name}.jsonl", config, one) for one in columns}
    scores: dict[str, list[PictureScore]] = {name: [] for name in names}
    bad: list[tuple[str, str]] = []
    for done, picture in enumerate(pictures.take(wanted), start=1):
        try:
            found = _score(config, picture, columns, files)
        except (ImageError, DatasetError, MaskError) as error:
            bad.append((picture.name, str(error)))
        else:
            for name, score in found.items():
                scores[name].append(score)
        if progress is not None:
            progress(done, len(wanted))
    if len(bad) > config.max_bad_share * len(wanted):
        raise DatasetError(
            f"{len(bad)} of {len(wanted)} pictures cannot be used, first {bad[0][0]}: {bad[0][1]}; "
            "repair the data, or raise AnsweringConfig.max_bad_share"
        )
    return Answered(columns={name: tuple(rows) for name, rows in scores.items()}, bad=tuple(bad))


def score_file(path: Path, config: AnsweringConfig, column: Answerer) -> RowFile[PictureScore]:
    """The file of one column.

    Raises: RunError as `RowFile`.
    """
    settings = f"{config.matching} recall only {config.for_recall_only} {column.name}: {column.fingerprint}"
    return RowFile(path, settings, to_plain_score, score_from_plain)


def score_picture(
    config: AnsweringConfig, column: Answerer, picture: LabelledPicture, truth: PictureTruth, sha256: str
) -> PictureScore:
    """One column's score on one picture.

    Raises: ImageError, DatasetError or MaskError when the picture or an answer is damaged.
    """
    image_bytes = picture.image_bytes()
    image = load_image(image_bytes)
    start = perf_counter()
    answers = column.answer(picture, image, truth)
    middle = perf_counter()
    matches = match_picture(truth, answers, config.matching)
    nearest = nearest_answers(truth, answers, per_category=config.matching.per_category)
    return PictureScore(
        picture=picture.name,
        sha256=sha256,
        answers=len(answers.rles),
        matches=matches.only_hits() if config.for_recall_only else matches,
        nearest=nearest,
        image_sha256=image_hash(image_bytes),
        model_s=middle - start,
        scoring_s=perf_counter() - middle,
    )


def nearest_answers(truth: PictureTruth, answers: PictureAnswers, *, per_category: bool) -> tuple[Nearest, ...]:
    """For each annotated mask that is no crowd, the answer (of its category, when they are looked at) of highest IoU.

    Raises: MaskError when a mask is malformed or sizes differ.
    """
    single = truth.take(~truth.is_crowd)
    ious = rle_iou_matrix(answers.rles, single.rles)
    if per_category:
        ious = np.where(answers.categories[:, None] == single.categories[None], ious, 0.0)
    boxed = boxed_answers(single, answers, per_category=per_category)
    found = []
    for index, rle in enumerate(single.rles):
        best = int(np.argmax(ious[:, index])) if len(answers.rles) else -1
        iou = float(ious[best, index]) if best >= 0 else 0.0
        answer = answers.rles[best] if iou > 0 else None
        category = int(single.categories[index])
        found.append(Nearest(truth=rle, category=category, answer=answer, iou=iou, boxed=boxed[index]))
    return tuple(found)


def boxed_answers(truth: PictureTruth, answers: PictureAnswers, *, per_category: bool) -> list[Boxed | None]:
    """For each annotated mask, what was answered to the box (of its category, when they are looked at) that overlaps
    its own box most, the first of several alike; None where no box overlaps it by IoU `BOX_FOUND`.

    Two columns that were given the same boxes are so compared box by box, whatever they made of them.
    """
    boxes = answers.boxes_xyxy
    if boxes is None or not len(boxes):
        return [None] * len(truth.rles)
    ious = iou_matrix(boxes, rles_to_boxes(truth.rles))
    if per_category:
        ious = np.where(answers.categories[:, None] == truth.categories[None], ious, 0.0)
    found: list[Boxed | None] = []
    for own in ious.T:
        best = int(np.argmax(own))
        x0, y0, x1, y1 = (float(edge) for edge in boxes[best])
        near = own[best] >= BOX_FOUND
        found.append(Boxed(box_xyxy=(x0, y0, x1, y1), answer=answers.rles[best]) if near else None)
    return found


def _score(
    config: AnsweringConfig,
    picture: LabelledPicture,
    columns: Sequence[Answerer],
    files: dict[str, RowFile[PictureScore]],
) -> dict[str, PictureScore]:
    truth = picture.truth()
    sha256 = truth_hash(picture.image_bytes(), truth)
    found = {}
    for column in columns:
        kept = files[column.name].get(picture.name, sha256) if files else None
        found[column.name] = kept or score_picture(config, column, picture, truth, sha256)
    for name, score in found.items():
        if files and files[name].get(picture.name, sha256) is None:
            files[name].add(score)
    return found


def to_plain_score(score: PictureScore) -> dict[str, Any]:
    """The score as JSON values; yes and no packed into bits."""
    matches = score.matches
    return {
        "picture": score.picture,
        "sha256": score.sha256,
        "answers": score.answers,
        "divisions": len(matches.counted),
        "scores": matches.scores.tolist(),
        "categories": matches.categories.tolist(),
        "ranks": matches.ranks.tolist(),
        "hits": _pack(matches.hits),
        "idle": _pack(matches.idle),
        "truth_categories": matches.truth_categories.tolist(),
        "counted": _pack(matches.counted),
        "nearest": [
            {
                "truth": to_json(one.truth),
                "category": one.category,
                "answer": None if one.answer is None else to_json(one.answer),
                "iou": one.iou,
                "boxed": None if one.boxed is None else _boxed_to_plain(one.boxed, one.answer),
            }
            for one in score.nearest
        ],
        "image_sha256": score.image_sha256,
        "model_s": round(score.model_s, 5),
        "scoring_s": round(score.scoring_s, 5),
    }


def score_from_plain(plain: dict[str, Any]) -> PictureScore:
    """The score of one line of the file."""
    divisions, answers, truths = plain["divisions"], len(plain["scores"]), len(plain["truth_categories"])
    shape = (divisions, len(IOU_THRESHOLDS), answers)
    matches = PictureMatches(
        scores=np.array(plain["scores"], np.float64),
        categories=np.array(plain["categories"], np.int64),
        ranks=np.array(plain["ranks"], np.int64),
        hits=_unpack(plain["hits"], shape),
        idle=_unpack(plain["idle"], shape),
        truth_categories=np.array(plain["truth_categories"], np.int64),
        counted=_unpack(plain["counted"], (divisions, truths)),
    )
    nearest = tuple(
        Nearest(
            truth=from_json(one["truth"]),
            category=one["category"],
            answer=None if one["answer"] is None else from_json(one["answer"]),
            iou=one["iou"],
            boxed=_boxed_from_plain(one),
        )
        for one in plain["nearest"]
    )
    return PictureScore(
        picture=plain["picture"],
        sha256=plain["sha256"],
        answers=plain["answers"],
        matches=matches,
        nearest=nearest,
        image_sha256=plain.get("image_sha256", ""),
        model_s=plain["model_s"],
        scoring_s=plain["scoring_s"],
    )


def _boxed_to_plain(boxed: Boxed, nearest: Rle | None) -> dict[str, Any]:
    """The box, and its answer unless that is the nearest one, as it mostly is."""
    return {"box_xyxy": list(boxed.box_xyxy), "answer": None if boxed.answer == nearest else to_json(boxed.answer)}


def _boxed_from_plain(nearest: dict[str, Any]) -> Boxed | None:
    plain = nearest.get("boxed")
    if plain is None:
        return None
    x0, y0, x1, y1 = plain["box_xyxy"]
    own = nearest["answer"] if plain["answer"] is None else plain["answer"]
    return Boxed(box_xyxy=(x0, y0, x1, y1), answer=from_json(own))


def _pack(values: Bools) -> str:
    return base64.b64encode(np.packbits(values.ravel()).tobytes()).decode()


def _unpack(text: str, shape: tuple[int, ...]) -> Bools:
    bits = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    return np.unpackbits(bits, count=int(np.prod(shape))).astype(np.bool_).reshape(shape)
