"""Models by the public package's names; its checkpoints load as they are, never by unsafe unpickling."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from anymask.compat.modeling import Sam
from anymask.errors import WeightsError
from anymask.model.sam import SamConfig
from anymask.model.weights import load


def build_sam_vit_h(checkpoint: str | Path | None = None) -> Sam:
    """ViT-H in eval mode, with the weights of `checkpoint`, or random ones."""
    return _build("vit_h", checkpoint)


def build_sam_vit_l(checkpoint: str | Path | None = None) -> Sam:
    """ViT-L in eval mode, with the weights of `checkpoint`, or random ones."""
    return _build("vit_l", checkpoint)


def build_sam_vit_b(checkpoint: str | Path | None = None) -> Sam:
    """ViT-B in eval mode, with the weights of `checkpoint`, or random ones."""
    return _build("vit_b", checkpoint)


def build_sam_tiny(checkpoint: str | Path | None = None) -> Sam:
    """The embedded model in eval mode, with its own weights or those of `checkpoint`; not in the public package."""
    return _build("tiny", "tiny" if checkpoint is None else checkpoint)


build_sam = build_sam_vit_h

sam_model_registry: dict[str, Callable[..., Sam]] = {
    "default": build_sam,
    "vit_h": build_sam_vit_h,
    "vit_l": build_sam_vit_l,
    "vit_b": build_sam_vit_b,
    "tiny": build_sam_tiny,
}


def _build(name: str, checkpoint: str | Path | None) -> Sam:
    config = SamConfig.named(name)
    if checkpoint is None:
        return Sam(config).eval()
    model = load(checkpoint)
    if model.config != config:
        raise WeightsError(
            f"{checkpoint} holds {model.config.image_encoder}, not a {name}; build it with the name of its size"
        )
    return Sam.adopt(model)
