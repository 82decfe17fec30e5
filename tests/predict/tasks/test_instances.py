"""Instances from boxes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from anymask.errors import PromptError
from anymask.masks.rle import decode
from anymask.model.sam import Sam
from anymask.predict import Predictor
from anymask.predict.tasks.instances import InstanceConfig, segment_boxes
from anymask.prompts.types import Prompt

Picture = npt.NDArray[np.uint8]
BOXES = np.array([[10, 5, 40, 30], [50, 20, 80, 55], [0, 0, 90, 60]], np.float32)


def agree(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> float:
    return float((first == second).mean())


def test_each_box_is_asked_twice_the_second_time_with_the_surest_first_answer(
    predictor: Predictor, picture: Picture
) -> None:
    predictor.set_image(picture)
    masks = segment_boxes(predictor, BOXES)
    for index, box in enumerate(BOXES):
        first = predictor.predict(Prompt(box_xyxy=box), multimask=True)
        second = predictor.predict(Prompt(box_xyxy=box, mask_logits=first.logits[first.best]), multimask=False)
        assert agree(decode(masks.rles[index]), second.masks()[0]) > 0.999
        assert masks.predicted_iou[index] == pytest.approx(float(second.predicted_iou[0]), abs=1e-4)


def test_without_refinement_the_first_answer_stays(predictor: Predictor, picture: Picture) -> None:
    predictor.set_image(picture)
    for several in (True, False):
        masks = segment_boxes(predictor, BOXES, InstanceConfig(refine=False, first_multimask=several))
        for index, box in enumerate(BOXES):
            first = predictor.predict(Prompt(box_xyxy=box), multimask=several)
            assert agree(decode(masks.rles[index]), first.masks()[first.best]) > 0.999


def test_boxes_go_through_in_batches_and_answers_do_not_depend_on_them(small_model: Sam, picture: Picture) -> None:
    many = np.repeat(BOXES, 5, axis=0)
    by_size = []
    for size in (1, 4, 64):
        predictor = Predictor(small_model, prompts_at_once=size)
        predictor.set_image(picture)
        by_size.append(segment_boxes(predictor, many))
    for other in by_size[1:]:
        np.testing.assert_allclose(other.predicted_iou, by_size[0].predicted_iou, atol=1e-4)


def test_no_box_gives_no_mask_and_another_shape_is_refused(predictor: Predictor, picture: Picture) -> None:
    predictor.set_image(picture)
    assert len(segment_boxes(predictor, [])) == 0
    with pytest.raises(PromptError, match="expected \\(N, 4\\)"):
        segment_boxes(predictor, [[1, 2, 3]])
    with pytest.raises(PromptError, match="outside the picture"):
        segment_boxes(predictor, [[200, 200, 210, 210]])
