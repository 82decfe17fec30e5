"""What can be evaluated: anything that takes a picture and answers prompts with masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

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
