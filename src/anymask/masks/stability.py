"""How little a mask changes when its threshold does: the stability score of the everything-mode."""

from __future__ import annotations

from torch import Tensor

from anymask.masks.overlap import ratio


def stability_score(logits: Tensor, threshold: float = 0.0, offset: float = 1.0) -> Tensor:
    """(...) float32 IoU of the masks `logits > threshold + offset` and `logits > threshold - offset`, (..., H, W).

    The first lies inside the second, so the IoU is the ratio of their areas. An empty pair scores 0 (the public
    implementation gives NaN, which fails every filter as 0 does, but cannot be written as JSON).

    Source: SPEC section 4.3; Kirillov et al. 2023, section 4.
    """
    inner = (logits > threshold + offset).flatten(-2).sum(-1)
    outer = (logits > threshold - offset).flatten(-2).sum(-1)
    return ratio(inner, outer)
