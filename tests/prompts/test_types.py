from __future__ import annotations

import numpy as np
import pytest
import torch

from anymask.errors import InputError, PromptError
from anymask.prompts.types import Prompt, PromptBatch


def test_points_are_foreground_when_no_label_is_given() -> None:
    prompt = Prompt(points_xy=np.array([[3, 5], [7, 9]]))
    assert prompt.points_xy is not None
    assert prompt.labels is not None
    assert prompt.points_xy.dtype == np.float32
    assert prompt.labels.tolist() == [1, 1]
    assert prompt.labels.dtype == np.int64


def test_lists_are_taken_as_arrays() -> None:
    prompt = Prompt(points_xy=[[1, 2]], labels=[0], box_xyxy=[0, 0, 4, 4])
    assert prompt.labels is not None
    assert prompt.box_xyxy is not None
    assert prompt.labels.tolist() == [0]
    assert prompt.box_xyxy.dtype == np.float32


@pytest.mark.parametrize(
    "given",
    [
        {"points_xy": np.ones((2, 2)), "box_xyxy": np.array([1, 1, 1, 1])},
        {"mask": np.zeros((5, 6), np.uint8)},
        {"mask_logits": np.zeros((64, 64))},
        {"text": "a wheel"},
        {"box_xyxy": np.array([-5.0, -5.0, 900.0, 900.0])},
    ],
)
def test_any_mix_makes_a_prompt(given: dict[str, object]) -> None:
    prompt = Prompt(**given)
    assert all(getattr(prompt, name) is not None for name in given)


def test_mask_becomes_boolean() -> None:
    prompt = Prompt(mask=np.array([[0, 7]], np.uint8))
    assert prompt.mask is not None
    assert prompt.mask.tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "at least a point, a box, a mask or text"),
        ({"points_xy": np.zeros(2)}, r"shape \(2,\), expected \(N, 2\)"),
        ({"points_xy": np.zeros((0, 2))}, r"N >= 1"),
        ({"points_xy": np.zeros((2, 3))}, r"shape \(2, 3\)"),
        ({"points_xy": np.array([[np.nan, 1]])}, "not finite"),
        ({"points_xy": np.array([[np.inf, 1]])}, "not finite"),
        ({"points_xy": np.zeros((2, 2)), "labels": np.array([1])}, "2 of 1"),
        ({"points_xy": np.zeros((1, 2)), "labels": np.array([2])}, "foreground"),
        ({"labels": np.array([1])}, "without points_xy"),
        ({"box_xyxy": np.zeros(3)}, "4 finite numbers"),
        ({"box_xyxy": np.array([0, 0, np.nan, 1])}, "4 finite numbers"),
        ({"box_xyxy": np.array([5, 0, 1, 1])}, "ends before it starts"),
        ({"box_xyxy": np.array([0, 5, 1, 1])}, "ends before it starts"),
        ({"mask": np.zeros((2, 2, 2))}, r"expected \(H, W\)"),
        ({"mask": np.zeros((2, 2)), "mask_logits": np.zeros((2, 2))}, "not both"),
        ({"mask_logits": np.array([[np.inf]])}, "finite values"),
        ({"mask_logits": np.zeros(4)}, "two axes"),
        ({"text": "  "}, "text is empty"),
    ],
)
def test_impossible_prompt_is_refused_with_the_reason(given: dict[str, object], reason: str) -> None:
    with pytest.raises(PromptError, match=reason) as caught:
        Prompt(**given)
    assert isinstance(caught.value, InputError)


def _batch(count: int, *, with_logits: bool) -> PromptBatch:
    points = torch.arange(count * 6, dtype=torch.float32).reshape(count, 3, 2)
    logits = torch.arange(count * 4, dtype=torch.float32).reshape(count, 1, 2, 2) if with_logits else None
    return PromptBatch(points, torch.ones(count, 3, dtype=torch.int64), logits)


@pytest.mark.parametrize("with_logits", [True, False])
@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_chunks_are_the_batch_in_order(size: int, with_logits: bool) -> None:
    batch = _batch(7, with_logits=with_logits)
    chunks = batch.chunks(size)
    assert max(map(len, chunks)) <= size
    assert sum(map(len, chunks)) == len(batch) == 7
    assert torch.equal(torch.cat([chunk.points_xy for chunk in chunks]), batch.points_xy)
    assert torch.equal(torch.cat([chunk.labels for chunk in chunks]), batch.labels)
    if batch.mask_logits is not None:
        parts = [chunk.mask_logits for chunk in chunks if chunk.mask_logits is not None]
        assert torch.equal(torch.cat(parts), batch.mask_logits)
    else:
        assert all(chunk.mask_logits is None for chunk in chunks)


def test_batch_moves_as_a_whole() -> None:
    moved = _batch(2, with_logits=True).to("meta")
    assert moved.mask_logits is not None
    assert {moved.points_xy.device.type, moved.labels.device.type, moved.mask_logits.device.type} == {"meta"}
