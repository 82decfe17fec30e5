"""Prompts of any mix, as batches that the model answers exactly as it would answer each prompt alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from anymask.errors import PromptError, UnsupportedPromptError
from anymask.images.frames import Frame
from anymask.prompts.types import BOX_BOTTOM_RIGHT, BOX_TOP_LEFT, FOREGROUND, PADDING, Prompt, PromptBatch

MASK_MAGNITUDE = 10.0
"""Logit that a pixel of a binary mask prompt is worth. Source: the public SAM 2 code scales given masks to -10..10."""


@dataclass(frozen=True, slots=True, eq=False)
class PromptGroup:
    """Prompts that go through the model together."""

    index: tuple[int, ...]
    """Where each prompt was in the sequence given."""
    prompts: PromptBatch
    multimask: bool


@dataclass(frozen=True, slots=True)
class _Kind:
    """What prompts must share to be batched without a padding that a prompt alone would not have."""

    tokens: int
    has_mask: bool
    multimask: bool


def wants_multimask(prompt: Prompt) -> bool:
    """Whether the prompt is ambiguous by default: a single point and nothing else."""
    alone = prompt.box_xyxy is None and prompt.mask is None and prompt.mask_logits is None
    return alone and prompt.points_xy is not None and len(prompt.points_xy) == 1


def batch_clicks(points_xy: npt.NDArray[np.float64], frame: Frame) -> PromptBatch:
    """Each of (P, 2) points, original pixels, as a prompt of its own: a foreground click with its padding point."""
    count = len(points_xy)
    tokens = np.zeros((count, 2, 2), np.float32)
    tokens[:, 0] = frame.to_input_xy(points_xy)
    return PromptBatch(torch.from_numpy(tokens), torch.tensor([FOREGROUND, PADDING]).expand(count, 2))


def group_prompts(prompts: Sequence[Prompt], frame: Frame, mask_size: int, multimask: bool | None) -> list[PromptGroup]:
    """The prompts of one picture in groups of equal token count; `multimask` None decides for each prompt.

    A prompt with points and no box carries one PADDING point, one without points and box has no token at all: what
    the public implementation does with it alone.

    Raises: PromptError for a prompt outside the picture or a mask of another size, UnsupportedPromptError for text.
    """
    groups: dict[_Kind, list[int]] = {}
    for position, prompt in enumerate(prompts):
        check_prompt(prompt, frame, mask_size)
        points = 0 if prompt.points_xy is None else len(prompt.points_xy) + (prompt.box_xyxy is None)
        tokens = points + (0 if prompt.box_xyxy is None else 2)
        has_mask = prompt.mask is not None or prompt.mask_logits is not None
        several = wants_multimask(prompt) if multimask is None else multimask
        groups.setdefault(_Kind(tokens, has_mask, several), []).append(position)
    return [
        PromptGroup(tuple(index), _batch([prompts[i] for i in index], frame, mask_size), kind.multimask)
        for kind, index in groups.items()
    ]


def check_prompt(prompt: Prompt, frame: Frame, mask_size: int) -> None:
    """Passes a prompt that the model can answer on a picture of this frame.

    Points must lie in the picture (its right and bottom edge included); a box may reach over the edge, as a detector's
    do, but must touch the picture.

    Raises: PromptError, UnsupportedPromptError.
    """
    height, width = frame.original_hw
    if prompt.text is not None:
        raise UnsupportedPromptError(
            f"text prompt {prompt.text!r} needs a text-conditioned model, and this one is not; "
            "prompt with points, a box or a mask"
        )
    if prompt.points_xy is not None:
        outside = ((prompt.points_xy < 0) | (prompt.points_xy > (width, height))).any(axis=1)
        if outside.any():
            raise PromptError(
                f"point {prompt.points_xy[outside][0].tolist()} lies outside the picture of {width} x {height} pixels; "
                "give x, y in its original pixels"
            )
    if prompt.box_xyxy is not None:
        x0, y0, x1, y1 = prompt.box_xyxy.tolist()
        if x1 < 0 or y1 < 0 or x0 > width or y0 > height:
            raise PromptError(
                f"box {[x0, y0, x1, y1]} lies outside the picture of {width} x {height} pixels; "
                "give x0, y0, x1, y1 in its original pixels"
            )
    if prompt.mask is not None and prompt.mask.shape != frame.original_hw:
        raise PromptError(
            f"mask has shape {prompt.mask.shape}, expected the picture's {frame.original_hw}; "
            f"an earlier answer's logits ({mask_size}, {mask_size}) go into mask_logits"
        )
    if prompt.mask_logits is not None and prompt.mask_logits.shape != (mask_size, mask_size):
        raise PromptError(
            f"mask_logits has shape {prompt.mask_logits.shape}, expected {(mask_size, mask_size)} of an earlier "
            "answer; a mask of the picture's size goes into mask"
        )


def _batch(prompts: list[Prompt], frame: Frame, mask_size: int) -> PromptBatch:
    """Prompts of one kind as the model takes them."""
    points, labels = zip(*(_tokens(prompt, frame) for prompt in prompts), strict=True)
    masks = [_mask_logits(prompt, frame, mask_size) for prompt in prompts]
    return PromptBatch(
        torch.from_numpy(np.stack(points)),
        torch.from_numpy(np.stack(labels)),
        torch.stack([mask for mask in masks if mask is not None]) if masks[0] is not None else None,
    )


def _tokens(prompt: Prompt, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) float32 input pixels and (N,) int64 labels: points, then padding or the box's corners."""
    points, labels = np.zeros((0, 2), np.float32), np.zeros(0, np.int64)
    if prompt.points_xy is not None and prompt.labels is not None:
        points, labels = frame.to_input_xy(prompt.points_xy), prompt.labels
        if prompt.box_xyxy is None:
            points = np.concatenate([points, np.zeros((1, 2), np.float32)])
            labels = np.append(labels, PADDING)
    if prompt.box_xyxy is not None:
        points = np.concatenate([points, frame.to_input_xy(prompt.box_xyxy.reshape(2, 2))])
        labels = np.append(labels, [BOX_TOP_LEFT, BOX_BOTTOM_RIGHT])
    return points, labels


def _mask_logits(prompt: Prompt, frame: Frame, mask_size: int) -> Tensor | None:
    """(1, mask_size, mask_size) logits in the input frame, None without a mask."""
    if prompt.mask is not None:
        return frame.to_input_logits(prompt.mask, mask_size, magnitude=MASK_MAGNITUDE)
    if prompt.mask_logits is not None:
        return torch.from_numpy(np.ascontiguousarray(prompt.mask_logits))[None]
    return None
