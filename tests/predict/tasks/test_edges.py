"""Edges from masks: where masks end, between 0 and 1, the same however clicks are batched."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from anymask.errors import ConfigError
from anymask.images.edges import edge_nms, sobel
from anymask.masks.borders import outer_ring
from anymask.masks.suppress import nms
from anymask.model.weights import load
from anymask.predict import Predictor
from anymask.predict.cleaning import inclusive_boxes
from anymask.predict.tasks.edges import EdgesConfig, find_edges
from anymask.prompts.grid import point_grid
from anymask.prompts.types import Prompt
from tests.paired_models import ours_with_weights_of, small_public_model

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def lively() -> Predictor:
    """A model whose masks differ from click to click."""
    return Predictor(ours_with_weights_of(small_public_model(seed=1)))


@pytest.fixture(scope="module")
def scene(photo: Pixels) -> Pixels:
    """A small part of a photograph, 120 x 160."""
    return photo[100:220, 200:360].copy()


def slow_edges(predictor: Predictor, image: Pixels, side: int) -> npt.NDArray[np.float32]:
    """The paper's steps one mask at a time, through the public predictor."""
    predictor.set_image(image)
    points = point_grid(side) * image.shape[1::-1]
    prompts = [Prompt(points_xy=one[None], labels=np.ones(1, np.int64)) for one in points]
    answers = predictor.predict(prompts, multimask=True)
    masks = predictor.predict_masks(prompts, multimask=True, best=False)
    filled = np.flatnonzero(masks.area_px)
    kept = filled[nms(inclusive_boxes(masks)[filled], masks.predicted_iou[filled], 0.7)]
    strength = np.zeros(image.shape[:2], np.float32)
    for index in kept:
        logits = answers[index // 3].original_logits()[index % 3]
        slope = sobel(1 / (1 + np.exp(-logits)))
        strength = np.maximum(strength, np.where(outer_ring(logits > 0), slope, 0))
    return (strength - strength.min()) / (strength.max() - strength.min())


def test_the_steps_are_the_papers(lively: Predictor, scene: Pixels) -> None:
    expected = slow_edges(lively, scene, 6)
    found = find_edges(lively, scene, EdgesConfig(points_per_side=6, thin=False))
    assert found.dtype == np.float32
    assert (found.min(), found.max()) == (0, 1)
    assert found == pytest.approx(expected, abs=1e-4)
    assert find_edges(lively, scene, EdgesConfig(points_per_side=6)) == pytest.approx(
        edge_nms(found, fade_px=5), abs=1e-4
    )
    unfaded = find_edges(lively, scene, EdgesConfig(points_per_side=6, border_px=0))
    assert unfaded == pytest.approx(edge_nms(found), abs=1e-4)


def test_batches_change_nothing_and_progress_counts_clicks(lively: Predictor, scene: Pixels) -> None:
    counts: list[tuple[int, int]] = []
    whole = find_edges(lively, scene, EdgesConfig(points_per_side=4, points_per_batch=16))
    parts = find_edges(
        lively, scene, EdgesConfig(points_per_side=4, points_per_batch=5), lambda done, of: counts.append((done, of))
    )
    assert parts == pytest.approx(whole, abs=1e-4)
    assert counts == [(5, 16), (10, 16), (15, 16), (16, 16)]


def test_more_clicks_and_a_looser_suppression_give_other_edges(lively: Predictor, scene: Pixels) -> None:
    first = find_edges(lively, scene, EdgesConfig(points_per_side=4, thin=False))
    assert not np.array_equal(find_edges(lively, scene, EdgesConfig(points_per_side=5, thin=False)), first)
    loose = find_edges(lively, scene, EdgesConfig(points_per_side=4, thin=False, box_nms_threshold=1))
    assert (loose > 0).sum() > (first > 0).sum()


def test_a_model_that_finds_nothing_gives_no_edge(lively: Predictor, scene: Pixels) -> None:
    from copy import deepcopy

    deaf = deepcopy(lively.model)
    with torch.no_grad():
        for parameter in deaf.mask_decoder.output_hypernetworks_mlps.parameters():
            parameter.zero_()
    found = find_edges(Predictor(deaf), scene, EdgesConfig(points_per_side=2))
    assert found.shape == scene.shape[:2]
    assert not found.any()


@pytest.mark.slow
def test_the_embedded_model_finds_the_outline_of_a_disc() -> None:
    y, x = np.mgrid[:200, :260]
    away = np.abs(np.hypot(y - 100, x - 130) - 60)
    image = np.where(np.hypot(y - 100, x - 130)[..., None] < 60, (230, 200, 40), (20, 60, 90)).astype(np.uint8)
    found = find_edges(Predictor(load("tiny")), image)
    assert found[away < 3].mean() > 5 * found[(away >= 3) & (away < 30)].mean()


@pytest.mark.parametrize(
    ("field", "value"), [("points_per_side", 0), ("points_per_batch", 0), ("box_nms_threshold", 1.5), ("border_px", -1)]
)
def test_impossible_settings_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"EdgesConfig.{field} must be .* got {value}"):
        EdgesConfig(**{field: value})
