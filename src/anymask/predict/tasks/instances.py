"""Instance segmentation: the boxes of a detector as prompts, each answer fed back once.

Source: SAM (arXiv 2304.02643) section 7.4 and appendix D.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anymask.errors import PromptError
from anymask.masks.types import MaskSet
from anymask.predict.prediction import join_predictions
from anymask.predict.predictor import Predictor
from anymask.prompts.types import Prompt


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceConfig:
    """How boxes are answered. The defaults are the paper's, as we read it."""

    refine: bool = True
    """Ask again with the box and the logits of the most confident mask."""
    first_multimask: bool = True
    """Take the most confident of three masks of the first answer, not the single one; the paper does not say which."""


def segment_boxes(
    predictor: Predictor, boxes_xyxy: npt.ArrayLike, config: InstanceConfig | None = None, *, image: int = 0
) -> MaskSet:
    """A mask for each of (N, 4) boxes, original pixels, of an image that is set in `predictor`, in their order.

    `prompts_at_once` of the predictor go through together, and memory does not grow with their number.

    Raises: PromptError for a box that is none or does not touch the picture.
    """
    config = config or InstanceConfig()
    boxes = np.asarray(boxes_xyxy, np.float32)
    if boxes.size and (boxes.ndim != 2 or boxes.shape[1] != 4):
        raise PromptError(f"boxes_xyxy has shape {boxes.shape}, expected (N, 4)")
    prompts = (Prompt(box_xyxy=box) for box in boxes.reshape(-1, 4))
    first = predictor.predict_iter(prompts, multimask=config.first_multimask, image=image)
    if not config.refine:
        return join_predictions((one.take(one.best) for one in first), predictor.ready(image).frame.original_hw)

    def again() -> Iterator[Prompt]:
        for answer in first:
            yield Prompt(box_xyxy=answer.prompt.box_xyxy, mask_logits=answer.logits[answer.best])

    return predictor.predict_masks(again(), multimask=False, image=image)
