"""Prompts are grouped so that each is answered as if alone, and refused when they do not fit the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anymask.errors import PromptError, UnsupportedPromptError
from anymask.images.frames import Frame
from anymask.predict.batching import MASK_MAGNITUDE, batch_clicks, group_prompts, wants_multimask
from anymask.prompts.types import BOX_BOTTOM_RIGHT, BOX_TOP_LEFT, PADDING, Prompt

FRAME = Frame.fit((60, 90), 128)
SCALE = np.array([128 / 90, 85 / 60])

MASK = np.zeros((60, 90), bool)
LOGITS = np.zeros((32, 32), np.float32)


def only_group(prompt: Prompt, multimask: bool | None = None) -> Any:
    (group,) = group_prompts([prompt], FRAME, 32, multimask)
    return group


@pytest.mark.parametrize(
    ("prompt", "labels"),
    [
        (Prompt(points_xy=[[1, 2]]), [1, PADDING]),
        (Prompt(points_xy=[[1, 2], [3, 4]], labels=[1, 0]), [1, 0, PADDING]),
        (Prompt(box_xyxy=[1, 2, 3, 4]), [BOX_TOP_LEFT, BOX_BOTTOM_RIGHT]),
        (Prompt(points_xy=[[1, 2]], labels=[0], box_xyxy=[1, 2, 3, 4]), [0, BOX_TOP_LEFT, BOX_BOTTOM_RIGHT]),
        (Prompt(mask=MASK), []),
    ],
)
def test_tokens_are_those_of_the_public_predictor(prompt: Prompt, labels: list[int]) -> None:
    group = only_group(prompt)
    assert group.prompts.labels.tolist() == [labels]
    assert group.prompts.points_xy.shape == (1, len(labels), 2)


def test_coordinates_move_to_the_input_frame() -> None:
    group = only_group(Prompt(points_xy=[[9, 6]], box_xyxy=[0, 3, 90, 60]))
    due = np.array([[9, 6], [0, 3], [90, 60]]) * SCALE
    assert np.allclose(group.prompts.points_xy[0].numpy(), due)


def test_prompts_are_grouped_by_tokens_mask_and_multimask() -> None:
    prompts = [
        Prompt(points_xy=[[1, 2]]),
        Prompt(box_xyxy=[1, 2, 3, 4]),
        Prompt(points_xy=[[5, 6]]),
        Prompt(points_xy=[[5, 6]], mask=MASK),
        Prompt(points_xy=[[5, 6]], mask_logits=LOGITS),
    ]
    groups = group_prompts(prompts, FRAME, 32, None)
    assert [(group.index, group.multimask) for group in groups] == [((0, 2), True), ((1,), False), ((3, 4), False)]
    # A box has as many tokens as a point and its padding.
    assert [group.index for group in group_prompts(prompts, FRAME, 32, False)] == [(0, 1, 2), (3, 4)]


def test_a_binary_mask_becomes_logits_of_its_pixels() -> None:
    mask = MASK.copy()
    mask[:, :45] = True
    logits = only_group(Prompt(mask=mask)).prompts.mask_logits[0, 0].numpy()
    assert logits.shape == (32, 32)
    assert np.allclose(logits[:20, :15], MASK_MAGNITUDE)
    assert np.allclose(logits[:, 17:], -MASK_MAGNITUDE)
    assert np.allclose(logits[23:], -MASK_MAGNITUDE), "padding is background"


def test_logits_go_through_unchanged() -> None:
    given = np.random.default_rng(0).standard_normal((32, 32)).astype(np.float32)
    assert np.array_equal(only_group(Prompt(mask_logits=given)).prompts.mask_logits[0, 0].numpy(), given)


@pytest.mark.parametrize(
    ("prompt", "ambiguous"),
    [
        (Prompt(points_xy=[[1, 2]]), True),
        (Prompt(points_xy=[[1, 2], [3, 4]]), False),
        (Prompt(points_xy=[[1, 2]], mask_logits=LOGITS), False),
        (Prompt(points_xy=[[1, 2]], box_xyxy=[1, 2, 3, 4]), False),
        (Prompt(box_xyxy=[1, 2, 3, 4]), False),
        (Prompt(mask=MASK), False),
    ],
)
def test_only_a_single_point_is_ambiguous(prompt: Prompt, ambiguous: bool) -> None:
    assert wants_multimask(prompt) is ambiguous
    assert only_group(prompt).multimask is ambiguous


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        (Prompt(points_xy=[[91, 2]]), "lies outside the picture of 90 x 60"),
        (Prompt(points_xy=[[1, 2], [1, -0.5]]), r"point \[1.0, -0.5\] lies outside"),
        (Prompt(box_xyxy=[91, 2, 99, 5]), "box .* lies outside the picture of 90 x 60"),
        (Prompt(mask=np.zeros((90, 60), bool)), r"mask has shape \(90, 60\), expected the picture's \(60, 90\)"),
        (Prompt(mask=np.zeros((32, 32), bool)), "go into mask_logits"),
        (Prompt(mask_logits=np.zeros((60, 90))), r"expected \(32, 32\)"),
    ],
)
def test_a_prompt_that_does_not_fit_the_picture_is_refused(prompt: Prompt, sentence: str) -> None:
    with pytest.raises(PromptError, match=sentence):
        group_prompts([prompt], FRAME, 32, None)


def test_text_needs_a_text_conditioned_model() -> None:
    with pytest.raises(UnsupportedPromptError, match="needs a text-conditioned model"):
        group_prompts([Prompt(text="a wheel")], FRAME, 32, None)


def test_the_far_edges_of_the_picture_and_boxes_over_them_are_allowed() -> None:
    group_prompts([Prompt(points_xy=[[90, 60], [0, 0]]), Prompt(box_xyxy=[-3, -2, 95, 70])], FRAME, 32, None)


def test_a_batch_of_clicks_is_what_single_points_become() -> None:
    points = np.array([[1.0, 2.0], [60.5, 33.25], [89.0, 59.0]])
    (group,) = group_prompts([Prompt(points_xy=point[None]) for point in points], FRAME, 32, True)
    batch = batch_clicks(points, FRAME)
    assert batch.labels.tolist() == group.prompts.labels.tolist()
    assert np.array_equal(batch.points_xy.numpy(), group.prompts.points_xy.numpy())
