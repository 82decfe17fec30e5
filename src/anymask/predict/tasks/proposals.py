"""Object proposals: about a thousand masks a picture that cover whatever may be an object in it.

Source: SAM (arXiv 2304.02643) section 7.3 and appendix D.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from anymask.errors import ConfigError
from anymask.images.load import ImageSource, LoadedImage
from anymask.masks.suppress import nms
from anymask.masks.types import MaskSet
from anymask.predict.automatic import AutomaticConfig, Progress, segment_everything
from anymask.predict.cleaning import inclusive_boxes
from anymask.predict.predictor import Predictor


@dataclass(frozen=True, kw_only=True, slots=True)
class ProposalConfig:
    """Everything-mode without crops and filters. The defaults are the paper's."""

    points_per_side: int = 64
    """Clicks along each side of the picture."""
    points_per_batch: int = 64
    """Clicks decoded together; changes memory and speed only."""
    nms_threshold: float = 0.9
    """Box IoU above which the mask of lower rank is a double."""
    max_proposals: int = 1000
    """Most proposals of a picture; the best by the mean of predicted IoU and stability stay."""
    rank: Literal["quality", "random"] = "quality"
    """What decides between doubles, and at the end: the model's own scores, or chance, for a model that was not trained
    to score its masks."""
    seed: int = 0
    """Seed of that chance."""

    def __post_init__(self) -> None:
        for name in ("points_per_side", "points_per_batch", "max_proposals"):
            if getattr(self, name) < 1:
                raise ConfigError(f"ProposalConfig.{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.nms_threshold <= 1:
            raise ConfigError(f"ProposalConfig.nms_threshold must be above 0, at most 1, got {self.nms_threshold}")

    @staticmethod
    def named(preset: str) -> ProposalConfig:
        """The preset "paper", or "single_output": the paper's for a model that gives one mask a prompt and no score.

        Raises: ConfigError for another name.
        """
        if preset == "paper":
            return ProposalConfig()
        if preset == "single_output":
            return ProposalConfig(points_per_side=128, nms_threshold=0.95, rank="random")
        raise ConfigError(f"unknown preset {preset!r}; known are paper and single_output")


@dataclass(frozen=True, slots=True, eq=False)
class Proposals:
    """The proposals of one picture, the best first."""

    masks: MaskSet
    scores: npt.NDArray[np.float64]
    """(M,) what they are ranked by."""


def propose(
    predictor: Predictor,
    image: ImageSource | LoadedImage,
    config: ProposalConfig | None = None,
    progress: Progress | None = None,
) -> Proposals:
    """The proposals of one picture. Empty masks are none.

    The images set in `predictor` stay as they are.

    Raises: ImageError.
    """
    config = config or ProposalConfig()
    suppressed_later = config.rank == "random"
    everything = AutomaticConfig(
        points_per_side=config.points_per_side,
        points_per_batch=config.points_per_batch,
        predicted_iou_threshold=0.0,
        stability_threshold=0.0,
        box_nms_threshold=1.0 if suppressed_later else config.nms_threshold,
    )
    masks = segment_everything(predictor, image, everything, progress)
    masks = masks.take(masks.area_px > 0)
    if suppressed_later:
        scores = np.random.default_rng(config.seed).permutation(len(masks)).astype(np.float64) / max(len(masks), 1)
        kept = nms(inclusive_boxes(masks), scores, config.nms_threshold)
        masks, scores = masks.take(kept), scores[kept]
    else:
        scores = (masks.predicted_iou.astype(np.float64) + masks.stability) / 2
    best = np.argsort(-scores, kind="stable")[: config.max_proposals]
    return Proposals(masks.take(best), scores[best])
