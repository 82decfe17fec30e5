"""A model as a column: its answers are the predictor's."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from anymask.evaluation.segmenter import Answer, ModelSegmenter
from anymask.model.sam import Sam, tiny_config
from anymask.predict.predictor import Predictor
from anymask.prompts.types import Prompt


@pytest.fixture(scope="module")
def model() -> Sam:
    torch.manual_seed(0)
    return Sam(tiny_config(dim=32, input_size=128)).eval()


PROMPT = Prompt(points_xy=[[300.5, 200.5]])


@pytest.mark.parametrize(("multimask", "count"), [(True, 3), (False, 1)])
def test_answers_are_the_predictors(model: Sam, photo: np.ndarray, multimask: bool, count: int) -> None:
    segmenter, predictor = ModelSegmenter(Predictor(model)), Predictor(model)
    segmenter.set_image(photo)
    predictor.set_image(photo)
    answer, expected = segmenter.predict(PROMPT, multimask=multimask), predictor.predict(PROMPT, multimask=multimask)
    assert answer.masks.shape == (count, *photo.shape[:2])
    np.testing.assert_array_equal(answer.masks, expected.masks())
    np.testing.assert_array_equal(answer.scores, expected.predicted_iou)
    assert answer.logits.shape == (count, model.mask_size, model.mask_size)


def test_logits_of_an_answer_are_taken_by_the_next_prompt_and_change_it(model: Sam, photo: np.ndarray) -> None:
    segmenter = ModelSegmenter(Predictor(model))
    segmenter.set_image(photo)
    first = segmenter.predict(PROMPT, multimask=True)
    again = Prompt(points_xy=PROMPT.points_xy, mask_logits=first.logits[first.best])
    with_logits, without = segmenter.predict(again, multimask=False), segmenter.predict(PROMPT, multimask=False)
    assert not np.allclose(with_logits.logits, without.logits)


def test_the_fingerprint_is_that_of_the_weights(model: Sam) -> None:
    torch.manual_seed(1)
    other = Sam(tiny_config(dim=32, input_size=128)).eval()
    one = ModelSegmenter(Predictor(model)).fingerprint
    assert one == ModelSegmenter(Predictor(model), name="x").fingerprint
    assert one != ModelSegmenter(Predictor(other)).fingerprint


def test_it_travels_to_another_process(model: Sam, photo: np.ndarray) -> None:
    segmenter = ModelSegmenter(Predictor(model))
    copy = pickle.loads(pickle.dumps(segmenter))
    for one in (segmenter, copy):
        one.set_image(photo)
    a, b = (one.predict(PROMPT, multimask=True) for one in (segmenter, copy))
    np.testing.assert_array_equal(a.masks, b.masks)


def test_the_best_is_the_highest_score_and_the_first_of_equals() -> None:
    masks = np.zeros((3, 2, 2), bool)
    assert Answer(masks, np.array([0.1, 0.9, 0.9], np.float32)).best == 1
