"""An answer at the original size: masks, logits, stability, best and the mask set agree with each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from anymask.masks import rle
from anymask.masks.stability import stability_score
from anymask.predict import Prediction, Predictor
from anymask.prompts.types import Prompt


@pytest.fixture
def answer(predictor: Predictor, picture: npt.NDArray[np.uint8]) -> Prediction:
    predictor.set_image(picture)
    return predictor.predict(Prompt(points_xy=[[40, 20], [1, 2]]), multimask=True)


def test_masks_are_the_original_logits_above_the_threshold(answer: Prediction) -> None:
    logits = answer.original_logits()
    assert logits.shape == (3, 60, 90)
    sure = np.abs(logits) > 1e-6
    assert np.array_equal(answer.masks()[sure], (logits > 0)[sure])
    assert sure.mean() > 0.99


def test_stability_is_that_of_the_original_logits(answer: Prediction) -> None:
    due = stability_score(torch.from_numpy(answer.original_logits())).numpy()
    assert np.allclose(answer.stability(), due, atol=1e-3)


def test_the_best_mask_is_that_of_highest_predicted_iou(answer: Prediction) -> None:
    best = answer.take(answer.best)
    assert len(answer) == 3
    assert len(best) == 1
    assert best.predicted_iou[0] == answer.predicted_iou.max()
    assert np.array_equal(best.masks()[0], answer.masks()[answer.best])


def test_take_counts_from_the_end_too(answer: Prediction) -> None:
    assert np.array_equal(answer.take(-1).logits, answer.logits[2:])


def test_the_mask_set_holds_the_same_masks(answer: Prediction) -> None:
    found = answer.mask_set()
    assert found.size_hw == (60, 90)
    assert np.array_equal(rle.decode_batch(found.rles), answer.masks())
    assert np.array_equal(found.predicted_iou, answer.predicted_iou)
    assert np.array_equal(found.stability, answer.stability())
    assert found.points_xy.tolist() == [[40, 20]] * 3
    assert found.crop_boxes_xyxy.tolist() == [[0, 0, 90, 60]] * 3


def test_a_prompt_without_points_has_no_point_in_the_set(predictor: Predictor, picture: npt.NDArray[np.uint8]) -> None:
    predictor.set_image(picture)
    assert np.isnan(predictor.predict(Prompt(box_xyxy=[1, 2, 30, 40])).mask_set().points_xy).all()
