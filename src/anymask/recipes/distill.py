"""Distillation: a small encoder for a large model's decoder."""

from __future__ import annotations

from anymask.images.augment import ViewConfig
from anymask.model.tiny_encoder import TinyEncoderConfig
from anymask.training.distill import DistillConfig
from anymask.training.schedule import OptimizerConfig


def distill_tiny(steps: int = 40_000) -> DistillConfig:
    """The encoder of `tiny`, as wide as the released models' embedding, in place of a ViT.

    Command: anymask distill --teacher vit_h --recipe distill_tiny --data 'sa_*.tar' --out runs/distilled
    For one GPU. Not run by this project at full length: the released weights are not part of it.
    """
    return DistillConfig(
        encoder=TinyEncoderConfig(dim=256),
        steps=steps,
        pictures=8,
        view=ViewConfig(flip_probability=0.5),
        optimizer=OptimizerConfig(lr=1e-3, weight_decay=0.05, warmup_steps=500, kind="cosine", clip_norm=1.0),
        embedding_cache_gib=100.0,
        checkpoint_every=200,
        validate_every=1000,
        sheet_every=200,
    )
