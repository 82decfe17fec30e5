"""How an object detector is trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from anymask.errors import ConfigError
from anymask.training.schedule import OptimizerConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectorConfig:
    """One training of an object detector."""

    steps: int = 1200
    """Optimiser steps."""
    first_step: int = 0
    """Steps taken before this run began; only 0 makes sense for a head this small."""
    pictures: int = 4
    """Pictures a step."""
    width: int = 64
    """Channels of the head."""
    depth: int = 2
    """Convolutions that its maps share."""
    radius: float = 1.5
    """Cells up to this far from the middle of an object's box answer for it."""
    box_weight: float = 2.0
    """Weight of the boxes' loss beside the scores'."""
    unlabelled_weight: float = 0.0
    """Weight of unlabelled places as negative examples, 0 to 1. 0: they say nothing. Raise it where annotators were
    asked to leave nothing out."""
    min_area_px: int = 16
    """Smaller masks (original pixels) are no targets."""
    max_fraction: float = 0.9
    """Masks that cover more of the picture are no targets."""
    flip: bool = True
    """Learn from mirror images too; each is embedded once, which doubles the time that takes."""
    held_share: float = 0.2
    """Share of the pictures kept out to measure on and to choose the confidence with, by a hash of their names; not
    used when other pictures are given for that."""
    precision_shown: float = 0.75
    """The confidence is the lowest at which this share of the boxes that can be judged are right."""
    embedding_cache_gib: float = 20.0
    """Embeddings kept on disk, in GiB; what does not fit is embedded again whenever it is needed."""
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(
            lr=2e-3, kind="cosine", warmup_steps=50, weight_decay=0.05, clip_norm=10.0, ema_decay=0.995
        )
    )
    """AdamW and its schedule."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the forward pass."""
    seed: int = 0
    """Of everything random."""
    checkpoint_every: int = 100
    """Steps between checkpoints."""
    validate_every: int = 0
    """Steps between calls of the validation function; 0 for never."""
    sheet_every: int = 0
    """Steps between plots of recall and precision on the held-out pictures so far; 0 for the end alone."""

    def __post_init__(self) -> None:
        for name in ("steps", "pictures", "depth", "checkpoint_every", "min_area_px"):
            if getattr(self, name) < 1:
                raise ConfigError(f"DetectorConfig.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("max_fraction", "held_share", "precision_shown"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"DetectorConfig.{name} must be in (0, 1], got {getattr(self, name)}")
        if not 0 <= self.unlabelled_weight <= 1:
            raise ConfigError(f"DetectorConfig.unlabelled_weight must be in [0, 1], got {self.unlabelled_weight}")
        for name in ("radius", "box_weight", "embedding_cache_gib"):
            if getattr(self, name) < 0:
                raise ConfigError(f"DetectorConfig.{name} must not be negative, got {getattr(self, name)}")
        if not 0 <= self.first_step < self.steps:
            raise ConfigError(f"DetectorConfig.first_step must be in 0..{self.steps - 1}, got {self.first_step}")
