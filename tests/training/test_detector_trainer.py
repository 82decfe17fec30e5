"""The loss that unlabelled places have no part in."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from anymask.model.object_detector import cell_centres
from anymask.training.detector_config import DetectorConfig
from anymask.training.detector_scores import Operating
from anymask.training.detector_targets import LABELLED_CELL, LabelledBoxes, assign
from anymask.training.detector_trainer import detector_loss, plot_curve

SIZE = 64
CELLS = cell_centres(SIZE)


def pictured(*, labelled: bool) -> LabelledBoxes:
    places = np.full((SIZE // LABELLED_CELL,) * 2, labelled)
    return LabelledBoxes(np.array([[8, 8, 40, 40]], np.float32), places, (SIZE, SIZE))


def losses(
    logits: torch.Tensor, boxes: torch.Tensor, picture: LabelledBoxes, **config: float
) -> tuple[torch.Tensor, torch.Tensor]:
    return detector_loss(logits, boxes, assign(CELLS, picture, 1.5), picture, DetectorConfig(**config))


def boxes_of(picture: LabelledBoxes) -> torch.Tensor:
    return torch.from_numpy(picture.boxes_xyxy).expand(len(CELLS), 4).clone()


@pytest.mark.parametrize(("labelled", "weight", "has_gradient"), [(False, 0.0, 0), (False, 0.5, 1), (True, 0.0, 1)])
def test_places_nobody_labelled_teach_nothing_unless_asked_to(
    labelled: bool, weight: float, has_gradient: bool
) -> None:
    picture = pictured(labelled=labelled)
    logits = torch.zeros(len(CELLS), requires_grad=True)
    score, _ = losses(logits, boxes_of(picture), picture, unlabelled_weight=weight)
    score.backward()
    assert logits.grad is not None
    elsewhere = assign(CELLS, picture, 1.5).owner < 0
    assert bool((logits.grad[elsewhere] != 0).all()) == has_gradient
    assert bool((logits.grad[elsewhere] == 0).all()) != has_gradient


def test_the_right_answer_costs_nothing_and_any_other_something() -> None:
    picture = pictured(labelled=True)
    owner = assign(CELLS, picture, 1.5).owner
    right = torch.where(owner >= 0, 30.0, -30.0)
    score, place = losses(right, boxes_of(picture), picture)
    assert float(score) == pytest.approx(0, abs=1e-6)
    assert float(place) == pytest.approx(0, abs=1e-6)
    shifted = boxes_of(picture) + 8
    assert float(losses(right, shifted, picture)[1]) == pytest.approx(1 - (24**2 / (2 * 32**2 - 24**2) - 128 / 1600))


def test_a_score_is_to_be_the_iou_of_its_box() -> None:
    picture = pictured(labelled=True)
    half = torch.tensor([[8.0, 8.0, 40.0, 24.0]]).expand(len(CELLS), 4)
    owner = assign(CELLS, picture, 1.5).owner
    sure, modest = (torch.where(owner >= 0, value, -30.0) for value in (30.0, 0.0))
    assert float(losses(modest, half, picture)[0]) == pytest.approx(0, abs=1e-6)
    assert float(losses(sure, half, picture)[0]) > 1


def test_boxes_far_away_and_without_extent_have_finite_gradients() -> None:
    picture = pictured(labelled=True)
    boxes = torch.full((len(CELLS), 4), 500.0, requires_grad=True)
    _, place = losses(torch.zeros(len(CELLS)), boxes, picture)
    place.backward()
    assert boxes.grad is not None
    assert bool(torch.isfinite(boxes.grad).all())
    assert 1 < float(place.detach()) <= 2


def test_the_curve_is_drawn_with_and_without_a_chosen_confidence() -> None:
    points = [
        Operating(confidence=at, recall=1 - at, precision=at, shown=10 * (1 - at), unknown=1.0)
        for at in (0.2, 0.5, 0.8)
    ]
    plain, marked = plot_curve(points, None), plot_curve(points, points[1])
    assert plain.shape == marked.shape
    assert (plain != marked).any()
