"""How good a detector's boxes are on labelled pictures, and the confidence from which they are worth showing.

Recall is the share of labelled objects that are found. Precision counts boxes that can be judged alone: a box that
finds nothing is wrong only where most of it was labelled; elsewhere nobody said that there is no object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anymask.masks import boxes as box
from anymask.model.object_detector import Detections
from anymask.training.detector_targets import LABELLED_CELL, LabelledBoxes

MATCH_IOU = 0.5
"""A box finds an object from this IoU on."""
_MOSTLY = 0.5
"""Share of a box that must be labelled for it to be judged wrong."""
_FEWEST = 10
"""Judged boxes below which a precision says nothing."""
RIGHT, WRONG, UNKNOWN = 1, 0, -1


@dataclass(frozen=True, slots=True, eq=False)
class JudgedPicture:
    """The detections of one picture with what is known of them."""

    scores: npt.NDArray[np.float32]
    """(D,) in falling order."""
    verdicts: npt.NDArray[np.int8]
    """(D,) RIGHT, WRONG or UNKNOWN."""
    objects: int
    """Labelled objects of the picture."""


def judge(found: Detections, truth: LabelledBoxes) -> JudgedPicture:
    """Each detection in order of score takes the free object it overlaps most, from an IoU of `MATCH_IOU` on.

    A second box on an object that is found already is wrong.
    """
    overlap = box.iou_matrix(found.boxes_xyxy, truth.boxes_xyxy)  # (D, K)
    free = np.ones(overlap.shape[1], np.bool_)
    verdicts = np.full(len(found.scores), UNKNOWN, np.int8)
    for row in np.argsort(-found.scores, kind="stable"):
        candidates = np.where(free, overlap[row], 0)
        if candidates.size and candidates.max() >= MATCH_IOU:
            free[candidates.argmax()] = False
            verdicts[row] = RIGHT
        elif (overlap[row] >= MATCH_IOU).any() or _labelled_share(found.boxes_xyxy[row], truth.labelled) >= _MOSTLY:
            verdicts[row] = WRONG
    order = np.argsort(-found.scores, kind="stable")
    return JudgedPicture(found.scores[order], verdicts[order], len(truth.boxes_xyxy))


def _labelled_share(box_xyxy: npt.NDArray[np.float32], labelled: npt.NDArray[np.bool_]) -> float:
    """The share of a box's cells (at least one) that somebody labelled."""
    x0, y0 = np.floor(box_xyxy[:2] / LABELLED_CELL).astype(int)
    x1, y1 = np.maximum(np.ceil(box_xyxy[2:] / LABELLED_CELL).astype(int), (x0 + 1, y0 + 1))
    inside = labelled[y0:y1, x0:x1]
    return float(inside.mean()) if inside.size else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Operating:
    """What is shown, and missed, at one confidence."""

    confidence: float
    """Boxes from this score on are shown."""
    recall: float
    """Share of the labelled objects that are found."""
    precision: float
    """Share of right ones among the boxes that can be judged; 1 when there is none."""
    shown: float
    """Boxes a picture."""
    unknown: float
    """Boxes a picture that cannot be judged, for nobody labelled most of what they hold."""


def operating_points(pictures: Sequence[JudgedPicture], confidences: Sequence[float]) -> list[Operating]:
    """One for each confidence."""
    scores = np.concatenate([picture.scores for picture in pictures])
    verdicts = np.concatenate([picture.verdicts for picture in pictures])
    objects = sum(picture.objects for picture in pictures)
    points = []
    for confidence in confidences:
        shown = verdicts[scores >= confidence]
        right, wrong = int((shown == RIGHT).sum()), int((shown == WRONG).sum())
        points.append(
            Operating(
                confidence=float(confidence),
                recall=right / max(1, objects),
                precision=right / (right + wrong) if right + wrong else 1.0,
                shown=len(shown) / max(1, len(pictures)),
                unknown=int((shown == UNKNOWN).sum()) / max(1, len(pictures)),
            )
        )
    return points


def choose(points: Sequence[Operating], precision: float, pictures: int) -> tuple[Operating, bool]:
    """The operating point of lowest confidence with at least `precision`, and whether there is one.

    Points at which fewer than ten boxes in all `pictures` can be judged do not count. Where none reaches `precision`,
    the most precise one is taken.
    """
    judged = [point for point in points if (point.shown - point.unknown) * pictures >= _FEWEST - 0.5]
    good = [point for point in judged if point.precision >= precision]
    if good:
        return min(good, key=lambda point: point.confidence), True
    return max(judged or points, key=lambda point: point.precision), False
