"""The answer to one prompt: low-res logits and scores, and on demand the masks at the picture's own size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from anymask.images.frames import Frame
from anymask.masks import rle
from anymask.masks.sets import set_from_rles
from anymask.masks.types import MaskSet, Rle
from anymask.predict.tracing import Traced, Tracer
from anymask.prompts.types import Prompt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prediction:
    """M masks that answer one prompt: one, or three for an ambiguous prompt, in the decoder's order.

    Only the low-res logits are held. What is at the original size is computed when asked for, and not kept.
    """

    prompt: Prompt
    logits: Floats
    """(M, mask_size, mask_size) in the padded input frame; a next prompt may carry one row as its `mask_logits`."""
    predicted_iou: Floats
    """(M,) the model's own estimate of each mask's IoU."""
    tracer: Tracer = field(repr=False)
    """Brings logits to the original size."""

    def __len__(self) -> int:
        return len(self.predicted_iou)

    @property
    def frame(self) -> Frame:
        """How the picture sits in the model's input."""
        return self.tracer.frame

    @property
    def best(self) -> int:
        """Index of the mask of highest predicted IoU, the first of equals."""
        return int(np.argmax(self.predicted_iou))

    def take(self, index: int) -> Prediction:
        """The same answer with that one mask only."""
        one = slice(index, index + 1) if index != -1 else slice(-1, None)
        return Prediction(
            prompt=self.prompt, logits=self.logits[one], predicted_iou=self.predicted_iou[one], tracer=self.tracer
        )

    def masks(self) -> npt.NDArray[np.bool_]:
        """(M, H, W) bool, original pixels."""
        traced = self._trace()
        return rle.decode_batch([traced.rle(index) for index in range(len(self))])

    def original_logits(self) -> Floats:
        """(M, H, W) float32 logits, original pixels; much slower and larger than `masks`."""
        full = self.frame.to_original_logits(torch.from_numpy(self.logits)[None])[0]
        return np.asarray(full.numpy())

    def stability(self) -> Floats:
        """(M,) IoU of each mask at one logit below and above the threshold, at the original size."""
        return self._trace().stability

    def mask_set(self) -> MaskSet:
        """The masks as run lengths with area, box, predicted IoU, stability and the prompt's first point."""
        return join_predictions([self], self.frame.original_hw)

    def _trace(self) -> Traced:
        return self.tracer.trace(self.logits)


def join_predictions(predictions: Iterable[Prediction], size_hw: tuple[int, int]) -> MaskSet:
    """The masks of `predictions` of one picture of `size_hw`, in order; each is dropped once it is traced."""
    rles: list[Rle] = []
    stability: list[Floats] = []
    predicted_iou: list[Floats] = []
    points: list[Floats] = []
    for prediction in predictions:
        traced = prediction.tracer.trace(prediction.logits)
        rles += [traced.rle(index) for index in range(len(prediction))]
        stability.append(traced.stability)
        predicted_iou.append(prediction.predicted_iou)
        given = prediction.prompt.points_xy
        first = np.full(2, np.nan, np.float32) if given is None else given[0]
        points.append(np.tile(first, (len(prediction), 1)))
    nothing = np.zeros(0, np.float32)
    return set_from_rles(
        rles,
        size_hw,
        predicted_iou=np.concatenate([nothing, *predicted_iou]),
        stability=np.concatenate([nothing, *stability]),
        points_xy=np.concatenate([nothing.reshape(0, 2), *points]),
    )
