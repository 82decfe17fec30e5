"""Recall and precision counted by hand, with boxes that nobody can judge."""

from __future__ import annotations

import numpy as np
import pytest

from anymask.model.object_detector import Detections
from anymask.training.detector_scores import (
    RIGHT,
    UNKNOWN,
    WRONG,
    JudgedPicture,
    Operating,
    choose,
    judge,
    operating_points,
)
from anymask.training.detector_targets import LabelledBoxes


def found(*rows: tuple[float, list[float]]) -> Detections:
    return Detections(
        np.array([box for _, box in rows], np.float32).reshape(-1, 4),
        np.array([score for score, _ in rows], np.float32),
    )


@pytest.fixture
def truth() -> LabelledBoxes:
    """Two objects; the left half of the picture is labelled."""
    labelled = np.zeros((16, 16), np.bool_)
    labelled[:, :8] = True
    return LabelledBoxes(np.array([[0, 0, 20, 20], [40, 40, 60, 60]], np.float32), labelled, (64, 64))


def test_boxes_are_right_wrong_or_unknown(truth: LabelledBoxes) -> None:
    judged = judge(
        found(
            (0.9, [0, 0, 20, 20]),  # finds the first object
            (0.8, [1, 1, 21, 21]),  # finds it again
            (0.7, [40, 40, 60, 58]),  # finds the second, on unlabelled ground
            (0.6, [0, 40, 20, 60]),  # finds nothing where all is labelled
            (0.5, [40, 0, 60, 20]),  # finds nothing where nothing is
        ),
        truth,
    )
    assert judged.verdicts.tolist() == [RIGHT, WRONG, RIGHT, WRONG, UNKNOWN]
    assert judged.objects == 2


def test_the_higher_score_takes_the_object_whatever_the_order(truth: LabelledBoxes) -> None:
    judged = judge(found((0.3, [0, 0, 20, 20]), (0.9, [0, 0, 20, 18])), truth)
    assert judged.scores.tolist() == pytest.approx([0.9, 0.3])
    assert judged.verdicts.tolist() == [RIGHT, WRONG]


def test_the_limit_of_a_match_is_an_iou_of_one_half(truth: LabelledBoxes) -> None:
    assert judge(found((0.9, [0, 0, 20, 10])), truth).verdicts.tolist() == [RIGHT]
    assert judge(found((0.9, [0, 0, 20, 9.9])), truth).verdicts.tolist() == [WRONG]


def test_nothing_found_and_nothing_there_are_counted(truth: LabelledBoxes) -> None:
    assert judge(found(), truth).verdicts.tolist() == []
    nothing = LabelledBoxes(np.zeros((0, 4), np.float32), np.ones((16, 16), np.bool_), (64, 64))
    assert judge(found((0.9, [0, 0, 20, 20])), nothing).verdicts.tolist() == [WRONG]


def test_recall_and_precision_are_those_counted_by_hand() -> None:
    pictures = [
        JudgedPicture(np.array([0.9, 0.5, 0.3], np.float32), np.array([RIGHT, WRONG, UNKNOWN], np.int8), 3),
        JudgedPicture(np.array([0.7], np.float32), np.array([RIGHT], np.int8), 1),
    ]
    low, high, none = operating_points(pictures, [0.2, 0.6, 0.95])
    assert (low.recall, low.precision, low.shown, low.unknown) == (0.5, pytest.approx(2 / 3), 2.0, 0.5)
    assert (high.recall, high.precision, high.shown, high.unknown) == (0.5, 1.0, 1.0, 0.0)
    assert (none.recall, none.precision, none.shown) == (0.0, 1.0, 0.0)


def point(confidence: float, precision: float, shown: float = 5.0, unknown: float = 0.0) -> Operating:
    return Operating(confidence=confidence, recall=0.5, precision=precision, shown=shown, unknown=unknown)


def test_the_lowest_confidence_of_enough_precision_is_shown() -> None:
    points = [point(0.1, 0.4), point(0.2, 0.8), point(0.3, 0.7), point(0.4, 0.9)]
    assert choose(points, 0.75, pictures=10) == (points[1], True)
    assert choose(points, 0.95, pictures=10) == (points[3], False)


def test_a_precision_of_few_boxes_says_nothing() -> None:
    points = [point(0.1, 0.4), point(0.5, 0.7), point(0.9, 1.0, shown=2.0, unknown=1.5)]
    assert choose(points, 0.75, pictures=10) == (points[1], False)
    assert choose(points[2:], 0.75, pictures=10) == (points[2], False)
