"""Prompts drawn for many masks at once are those that are drawn one by one."""

from typing import Literal

import cv2
import numpy as np
import pytest
import torch

from anymask.prompts.clicks import squared_depth
from anymask.prompts.simulate import ClickConfig, random_box
from anymask.prompts.types import BACKGROUND, BOX_BOTTOM_RIGHT, BOX_TOP_LEFT, FOREGROUND, PADDING
from anymask.training.batch_prompts import (
    CELL,
    BatchAnnotator,
    Draws,
    middle_pixels,
    noisy_boxes,
    squared_depths,
    uniform_pixels,
)

SIZE = 64


def blobs(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    masks = np.zeros((count, SIZE, SIZE), np.uint8)
    for mask in masks:
        centre = tuple(int(value) for value in rng.integers(4, SIZE - 4, 2))
        cv2.ellipse(mask, centre, tuple(int(value) for value in rng.integers(3, 28, 2)), 30, 0, 360, 1, -1)
    return masks > 0


def draws(count: int, clicks: int, config: ClickConfig, seed: int = 0) -> Draws:
    return Draws.of(count, clicks, config, np.random.default_rng(seed))


def test_depths_are_those_of_the_exact_distance_transform() -> None:
    masks = np.concatenate((blobs(70), np.ones((1, SIZE, SIZE), bool), np.zeros((1, SIZE, SIZE), bool)))
    expected = np.stack([squared_depth(mask) for mask in masks])
    np.testing.assert_array_equal(squared_depths(torch.from_numpy(masks)).numpy(), expected)


def test_a_place_is_a_pixel_of_the_region_in_reading_order() -> None:
    masks = blobs(20)
    place = torch.linspace(0, 0.9999, 20)
    for mask, share, xy in zip(masks, place, uniform_pixels(torch.from_numpy(masks), place), strict=True):
        inside = np.flatnonzero(mask)
        assert int(xy[1]) * SIZE + int(xy[0]) == inside[int(np.float32(share) * np.float32(len(inside)))]


def test_the_middle_is_within_a_cell_of_the_most_interior_pixel() -> None:
    masks = np.array([mask for mask in blobs(60) if squared_depth(mask).max() >= (3 * CELL) ** 2])
    assert len(masks) > 10
    xy, depth = middle_pixels(torch.from_numpy(masks))
    for mask, (x, y), cells in zip(masks, xy.tolist(), depth.tolist(), strict=True):
        best = squared_depth(mask).max() ** 0.5
        assert squared_depth(mask)[y, x] ** 0.5 >= best - 1.5 * CELL
        assert abs(cells**0.5 * CELL - best) <= 1.5 * CELL
        assert mask[y, x]


def test_a_region_without_a_whole_cell_has_no_middle() -> None:
    loose = torch.zeros((1, SIZE, SIZE), dtype=torch.bool)
    loose[0, ::7, ::7] = True
    assert middle_pixels(loose)[1].tolist() == [0]


@pytest.mark.parametrize("noise", ["gaussian", "uniform"])
def test_boxes_are_moved_as_one_by_one(noise: Literal["gaussian", "uniform"]) -> None:
    config = ClickConfig(box_noise=noise)
    masks = blobs(30)
    for index, mask in enumerate(masks):
        drawn = np.random.default_rng(index)
        numbers = drawn.standard_normal(4) if noise == "gaussian" else drawn.uniform(-1, 1, 4)
        box = noisy_boxes(torch.from_numpy(mask[None]), config, torch.from_numpy(numbers[None]).float())
        np.testing.assert_allclose(box[0].numpy(), random_box(mask, config, np.random.default_rng(index)), rtol=1e-5)


def test_a_thin_box_is_not_turned_inside_out() -> None:
    mask = torch.zeros((1, SIZE, SIZE), dtype=torch.bool)
    mask[0, 10:40, 20] = True
    turned = torch.tensor([[30.0, 0.0, -30.0, 0.0]])
    assert noisy_boxes(mask, ClickConfig(), turned).tolist() == [[20.0, 10.0, 21.0, 40.0]]


def test_first_prompts_are_points_inside_or_boxes_in_their_share() -> None:
    masks = blobs(300)
    config = ClickConfig(box_probability=0.5, centre_probability=0.4)
    annotator = BatchAnnotator(torch.from_numpy(masks), config, draws(300, 0, config))
    points, labels = annotator.first()
    is_box = annotator.is_box.numpy()
    assert 110 < is_box.sum() < 190
    assert labels[is_box].tolist() == [[BOX_TOP_LEFT, BOX_BOTTOM_RIGHT]] * int(is_box.sum())
    assert labels[~is_box].tolist() == [[FOREGROUND, PADDING]] * int((~is_box).sum())
    for mask, (x, y) in zip(masks[~is_box], points[~is_box][:, 0].long().tolist(), strict=True):
        assert mask[y, x]


@pytest.mark.parametrize("centre", [0.0, 1.0])
def test_a_click_lies_in_the_error_and_says_which_kind_it_is(centre: float) -> None:
    masks = blobs(40)
    answers = blobs(40, seed=1)
    answers[::5] = masks[::5]  # some are perfect
    config = ClickConfig(box_probability=0.0, centre_probability=centre)
    annotator = BatchAnnotator(torch.from_numpy(masks), config, draws(40, 1, config))
    annotator.first()
    logits = torch.from_numpy(answers[:, ::4, ::4]).float()[:, None] * 2 - 1
    points, labels = annotator.click(logits)
    assert points.shape == (40, 3, 2)
    assert labels.shape == (40, 3)
    guesses = torch.nn.functional.interpolate(logits, (SIZE, SIZE), mode="bilinear")[:, 0].gt(0).numpy()
    seen = set()
    for mask, guess, (x, y), label in zip(
        masks, guesses, points[:, 2].long().tolist(), labels[:, 2].tolist(), strict=True
    ):
        if (mask ^ guess).any():
            assert (mask ^ guess)[y, x]
        assert label == (FOREGROUND if mask[y, x] else BACKGROUND)
        seen.add(label)
    assert seen == {FOREGROUND, BACKGROUND}


def test_a_perfect_answer_gets_a_click_inside_the_mask() -> None:
    masks = np.zeros((1, SIZE, SIZE), bool)
    masks[0, 16:48, 16:48] = True
    config = ClickConfig(box_probability=0.0)
    annotator = BatchAnnotator(torch.from_numpy(masks), config, draws(1, 1, config))
    annotator.first()
    exact = torch.nn.functional.avg_pool2d(torch.from_numpy(masks).float()[:, None], 4) * 200 - 100
    points, labels = annotator.click(exact)
    x, y = points[0, 2].long().tolist()
    assert labels[0, 2] == FOREGROUND
    assert masks[0, y, x]


def test_prompts_of_a_picture_do_not_depend_on_the_others() -> None:
    masks, config = blobs(12), ClickConfig(centre_probability=0.5)
    alone = BatchAnnotator(torch.from_numpy(masks[8:]), config, draws(4, 1, config, seed=5)).first()
    joined = Draws.join([draws(8, 1, config, seed=4), draws(4, 1, config, seed=5)], torch.device("cpu"))
    among = BatchAnnotator(torch.from_numpy(masks), config, joined).first()
    for one, other in zip(alone, among, strict=True):
        assert torch.equal(one, other[8:])
