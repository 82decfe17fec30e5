"""What can be evaluated: anything that takes a picture and answers prompts with masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from anymask.predict.predictor import Predictor
from anymask.prompts.types import Prompt


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The masks that answer one prompt."""

    masks: npt.NDArray[np.bool_]
    """(M, H, W) original pixels, M >= 1."""
    scores: npt.NDArray[np.float32]
    """(M,) how sure the segmenter is of each; any scale."""
    logits: npt.NDArray[np.float32] | None = None
    """(M, S, S) low-res logits that a next prompt may carry as `mask_logits`; None where the segmenter has none."""

    @property
    def best(self) -> int:
        """Index of the mask of highest score, the first of equals."""
        return int(np.argmax(self.scores))


class Segmenter(Protocol):
    """One column of an evaluation. It must answer the same prompts on the same picture with the same masks."""

    @property
    def name(self) -> str:
        """The column's heading; unique in an evaluation, and usable as a file name."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes with anything that changes answers (weights, parameters): results of another one are not reused."""
        ...

    @property
    def takes_points(self) -> bool:
        """Whether it answers clicks."""
        ...

    @property
    def takes_boxes(self) -> bool:
        """Whether it answers boxes."""
        ...

    @property
    def gives_three(self) -> bool:
        """Whether `multimask` changes its answers."""
        ...

    def set_image(self, pixels: npt.NDArray[np.uint8]) -> None:
        """Take the (H, W, 3) uint8 RGB picture that the next prompts are about."""
        ...

    def predict(self, prompt: Prompt, *, multimask: bool) -> Answer:
        """Masks for the prompt: three when `multimask` (if it can), else one."""
        ...


@runtime_checkable
class BatchSegmenter(Protocol):
    """A segmenter that answers several prompts faster together than one after the other."""

    def predict_many(self, prompts: Sequence[Prompt], *, multimask: bool) -> list[Answer]:
        """The answers in order, each as if its prompt came alone."""
        ...


def predict_many(segmenter: Segmenter, prompts: Sequence[Prompt], *, multimask: bool) -> list[Answer]:
    """The answers to several prompts about the picture that was set: together where the segmenter can."""
    if isinstance(segmenter, BatchSegmenter):
        return segmenter.predict_many(prompts, multimask=multimask)
    return [segmenter.predict(prompt, multimask=multimask) for prompt in prompts]


@dataclass(slots=True)
class ModelSegmenter:
    """A promptable model as a column."""

    predictor: Predictor
    name: str = "model"
    takes_points: bool = field(default=True, init=False)
    takes_boxes: bool = field(default=True, init=False)
    gives_three: bool = field(default=True, init=False)

    @property
    def fingerprint(self) -> str:
        """The hash of configuration and weights, and what they are computed in: float16 changes masks a little."""
        model = self.predictor.model
        return f"model {self.predictor.model_sha256()} {str(model.dtype).removeprefix('torch.')} {model.device.type}"

    def set_image(self, pixels: npt.NDArray[np.uint8]) -> None:
        """Embed the (H, W, 3) uint8 RGB picture."""
        self.predictor.set_image(pixels)

    def predict(self, prompt: Prompt, *, multimask: bool) -> Answer:
        """Three masks for the prompt when `multimask`, else one, at the picture's own size."""
        return self.predict_many([prompt], multimask=multimask)[0]

    def predict_many(self, prompts: Sequence[Prompt], *, multimask: bool) -> list[Answer]:
        """The same for several prompts, in batches."""
        answers = self.predictor.predict_iter(prompts, multimask=multimask)
        return [Answer(answer.masks(), answer.predicted_iou, answer.logits) for answer in answers]
