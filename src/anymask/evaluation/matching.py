"""Which answer found which annotated mask of one picture: COCO's and LVIS's greedy matching at ten IoU thresholds.

One picture at a time, so that a thousand proposals on each of twenty thousand pictures are never in memory together.
Numbers made of these matches are in `average.py`.

Source: Lin et al. 2014 (COCO), and Gupta et al. 2019 (LVIS) for what is not counted; equal to pycocotools and the lvis
reference code, which tests compare with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anymask.dataset.formats.coco import OBJECT, CocoPicture
from anymask.dataset.formats.lvis import Federation
from anymask.errors import ConfigError
from anymask.masks.overlap import rle_iou_matrix
from anymask.masks.types import Rle

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

IOU_THRESHOLDS: Floats = np.linspace(0.5, 0.95, 10)
"""An answer finds a mask at a threshold when their IoU is at least that."""
_ALMOST_ONE = 1 - 1e-10


@dataclass(frozen=True, kw_only=True, slots=True)
class Division:
    """Part of the ground truth that has a score of its own."""

    name: str
    min_area_px: float = 0.0
    """Masks of a smaller stated area are not counted, nor what finds them."""
    max_area_px: float = 1e10
    """Masks of a larger stated area likewise."""
    categories: frozenset[int] | None = None
    """Ground truth of other categories is taken away altogether; None keeps all."""


SIZES = (
    Division(name="all"),
    Division(name="small", max_area_px=32.0**2),
    Division(name="medium", min_area_px=32.0**2, max_area_px=96.0**2),
    Division(name="large", min_area_px=96.0**2),
)
"""COCO's sizes, in pixels of the original picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MatchConfig:
    """How answers are matched with ground truth."""

    divisions: tuple[Division, ...] = SIZES
    """What is scored apart."""
    per_category: bool = True
    """Whether an answer can only find masks of its own category; else categories are not looked at."""
    max_answers: int = 100
    """Best answers of each category (or of the picture, when categories are not looked at) that count."""
    max_per_picture: int | None = None
    """Best answers of the whole picture that count, drawn before `max_answers`; all when None. LVIS counts 300."""

    def __post_init__(self) -> None:
        names = [division.name for division in self.divisions]
        if not names or len(set(names)) != len(names):
            raise ConfigError(f"MatchConfig.divisions must be at least one, each of its own name, got {names}")
        for name in ("max_answers", "max_per_picture"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"MatchConfig.{name} must be at least 1, got {value}")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PictureTruth:
    """What is annotated in one picture; G masks in the order of the file."""

    rles: tuple[Rle, ...]
    area_px: Floats
    """(G,) as the file states it."""
    categories: Integers
    """(G,) ids."""
    is_crowd: Bools
    """(G,) a group nobody took apart: found by any number of answers, counted by none."""
    federation: Federation | None = None
    """For LVIS: what was looked for."""

    @staticmethod
    def of(picture: CocoPicture, federation: Federation | None = None) -> PictureTruth:
        """The ground truth of a picture as a COCO or LVIS file has it."""
        count = len(picture.masks)
        return PictureTruth(
            rles=picture.masks.rles,
            area_px=np.array(picture.stated_area_px or picture.masks.area_px, np.float64),
            categories=np.array(picture.category_ids or [OBJECT] * count, np.int64),
            is_crowd=np.array(picture.is_crowd or [False] * count, np.bool_),
            federation=federation,
        )

    def take(self, rows: npt.NDArray[np.generic]) -> PictureTruth:
        """The masks at `rows` (indices or booleans), in that order."""
        index = np.arange(len(self.rles))[rows]
        return PictureTruth(
            rles=tuple(self.rles[i] for i in index),
            area_px=self.area_px[index],
            categories=self.categories[index],
            is_crowd=self.is_crowd[index],
            federation=self.federation,
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PictureAnswers:
    """What was answered about one picture: D masks in any order."""

    rles: tuple[Rle, ...]
    scores: Floats
    """(D,) how sure; equal scores rank in the order given."""
    area_px: Floats
    """(D,) foreground pixels."""
    categories: Integers
    """(D,) ids; OBJECT where nobody said."""
    boxes_xyxy: npt.NDArray[np.float32] | None = None
    """(D, 4) the box that each answers, original pixels; None where no boxes were given or found."""

    def take(self, rows: npt.NDArray[np.generic]) -> PictureAnswers:
        """The answers at `rows` (indices or booleans), in that order."""
        index = np.arange(len(self.rles))[rows]
        return PictureAnswers(
            rles=tuple(self.rles[i] for i in index),
            scores=self.scores[index],
            area_px=self.area_px[index],
            categories=self.categories[index],
            boxes_xyxy=None if self.boxes_xyxy is None else self.boxes_xyxy[index],
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PictureMatches:
    """What was found in one picture: D answers, G masks, V divisions, T thresholds."""

    scores: Floats
    """(D,)"""
    categories: Integers
    """(D,) ids; OBJECT for all when categories are not looked at."""
    ranks: Integers
    """(D,) place by score among the picture's answers of the same category, from 0."""
    hits: Bools
    """(V, T, D) the answer found a mask that counts."""
    idle: Bools
    """(V, T, D) the answer counts neither as right nor as wrong."""
    truth_categories: Integers
    """(G,) ids; OBJECT for all when categories are not looked at."""
    counted: Bools
    """(V, G) the mask is to be found."""

    def only_hits(self) -> PictureMatches:
        """Without the answers that found nothing anywhere: enough for recall, and much smaller."""
        rows = np.flatnonzero(self.hits.any(axis=(0, 1)))
        return PictureMatches(
            scores=self.scores[rows],
            categories=self.categories[rows],
            ranks=self.ranks[rows],
            hits=self.hits[..., rows],
            idle=self.idle[..., rows],
            truth_categories=self.truth_categories,
            counted=self.counted,
        )


def match_picture(truth: PictureTruth, answers: PictureAnswers, config: MatchConfig) -> PictureMatches:
    """The matches of every division of `config`.

    Answers of a category that, in a federated picture, nobody looked for are left out.

    Raises: MaskError when a mask is malformed or sizes differ.
    """
    if config.max_per_picture is not None:
        answers = answers.take(_best_first(answers.scores)[: config.max_per_picture])
    if config.per_category:
        wanted = np.union1d(truth.categories, answers.categories)
        if truth.federation is not None:
            looked_for = set(truth.categories.tolist()) | truth.federation.absent
            wanted = np.array([category for category in wanted if category in looked_for], np.int64)
        parts = [
            _match_one(
                truth.take(truth.categories == category),
                answers.take(answers.categories == category),
                int(category),
                config,
            )
            for category in wanted
        ]
    else:
        # By category, as the reference code goes through them: it decides between equals.
        by_category = truth.take(np.argsort(truth.categories, kind="stable"))
        ordered = answers.take(np.argsort(answers.categories, kind="stable"))
        parts = [_match_one(by_category, ordered, OBJECT, config)]
    return _join(parts, len(config.divisions))


def match(ious: Floats, ignored: Bools, crowd: Bools) -> Integers:
    """(T, D) the mask that each answer is given at each threshold, -1 for none.

    `ious` is (D, G), answers from the best score on. Each in turn takes, among the masks that are still free (a crowd
    always is), that of highest IoU from the threshold on, the last of equals; an ignored (G,) one only when no other
    qualifies.
    """
    limits = np.minimum(IOU_THRESHOLDS, _ALMOST_ONE)[:, None]
    free = np.ones((len(limits), ious.shape[1]), np.bool_)
    given = np.full((len(limits), ious.shape[0]), -1, np.int64)
    if ious.size == 0:
        return given
    # Ignored masks stand behind the others in the reference code, so among equals of one kind the order is the file's.
    for answer in np.flatnonzero((ious >= limits[0]).any(axis=1)):
        row = ious[answer]
        possible = (free | crowd) & (row >= limits)
        chosen = _last_best(row, possible & ~ignored)
        chosen = np.where(chosen >= 0, chosen, _last_best(row, possible & ignored))
        found = np.flatnonzero(chosen >= 0)
        free[found, chosen[found]] = False
        given[found, answer] = chosen[found]
    return given


def _match_one(truth: PictureTruth, answers: PictureAnswers, category: int, config: MatchConfig) -> PictureMatches:
    """The matches of answers and masks that may find each other."""
    answers = answers.take(_best_first(answers.scores)[: config.max_answers])
    ious = rle_iou_matrix(answers.rles, truth.rles, truth.is_crowd)
    lenient = truth.federation is not None and config.per_category and category in truth.federation.not_exhaustive
    shape = (len(config.divisions), len(IOU_THRESHOLDS), len(answers.rles))
    hits, idle = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    counted = np.zeros((len(config.divisions), len(truth.rles)), np.bool_)
    for index, division in enumerate(config.divisions):
        there = np.ones(len(truth.rles), np.bool_)
        if division.categories is not None:
            there = np.isin(truth.categories, list(division.categories))
        ignored = truth.is_crowd | _outside(truth.area_px, division)
        counted[index] = there & ~ignored
        given = match(ious[:, there], ignored[there], truth.is_crowd[there])
        # -1 reads the entry at the end: an answer that found nothing is given nothing that is ignored.
        of_ignored = np.append(ignored[there], False)[given]
        hits[index] = (given >= 0) & ~of_ignored
        idle[index] = of_ignored | ((given < 0) & (_outside(answers.area_px, division) | lenient))
    return PictureMatches(
        scores=answers.scores,
        categories=np.full(len(answers.rles), category, np.int64),
        ranks=np.arange(len(answers.rles)),
        hits=hits,
        idle=idle,
        truth_categories=np.full(len(truth.rles), category, np.int64),
        counted=counted,
    )


def _outside(area_px: Floats, division: Division) -> Bools:
    return np.asarray((area_px < division.min_area_px) | (area_px > division.max_area_px))


def _best_first(scores: Floats) -> Integers:
    return np.argsort(-scores, kind="stable")


def _last_best(row: Floats, possible: Bools) -> Integers:
    """(T,) the last of the highest values of `row` (G,) that are possible (T, G); -1 where none is."""
    values = np.where(possible, row, -1.0)
    last = values.shape[1] - 1 - np.argmax(values[:, ::-1], axis=1)
    return np.where(possible.any(axis=1), last, -1)


def _join(parts: list[PictureMatches], divisions: int) -> PictureMatches:
    nothing = np.zeros((divisions, len(IOU_THRESHOLDS), 0), np.bool_)
    none = np.zeros(0, np.int64)
    return PictureMatches(
        scores=np.concatenate([np.zeros(0), *(part.scores for part in parts)]),
        categories=np.concatenate([none, *(part.categories for part in parts)]),
        ranks=np.concatenate([none, *(part.ranks for part in parts)]),
        hits=np.concatenate([nothing, *(part.hits for part in parts)], axis=-1),
        idle=np.concatenate([nothing, *(part.idle for part in parts)], axis=-1),
        truth_categories=np.concatenate([none, *(part.truth_categories for part in parts)]),
        counted=np.concatenate([np.zeros((divisions, 0), np.bool_), *(part.counted for part in parts)], axis=-1),
    )
