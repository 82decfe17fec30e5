"""How much of the true region a mask is likely to hit, told from the mask itself.

The IoU token of a small model ranks the three masks of a click badly: it never sees them. What gives a poor mask away
is visible in its logits: unsure insides, soft or ragged outlines, an area that few objects have. Ours; not in the
paper.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_LEAST = 1e-4
"""Added to shares of the map, so that an empty mask divides by something."""
_STATISTICS = 6


class MaskQuality(nn.Module):
    """Corrects predicted IoU, mask by mask; begins as no correction at all."""

    def __init__(self, masks: int, hidden: int) -> None:
        super().__init__()
        self.kinds = nn.Parameter(torch.zeros(masks, hidden))
        """What is known of the single-mask output and of each of the ambiguous ones, by its place."""
        self.lin1, self.lin2 = nn.Linear(_STATISTICS + 1, hidden), nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, scores: Tensor, logits: Tensor, chosen: slice) -> Tensor:
        """(P, M) predicted IoU and (P, M, h, w) logits of the `chosen` masks -> (P, M)."""
        seen = torch.cat((scores[..., None], statistics(logits.detach()).to(scores.dtype)), dim=-1)
        hidden = F.relu(self.lin1(seen) + self.kinds[chosen])
        corrected: Tensor = scores + self.out(F.relu(self.lin2(hidden)))[..., 0]
        return corrected


def statistics(logits: Tensor) -> Tensor:
    """(..., h, w) logits -> (..., 6) float32, each about 0 to 1.

    Mean probability inside, overlap of the probability with the mask, share of unsure pixels, raggedness (outline
    against the square root of the area), the square root of the area, its logarithm.
    """
    probability = logits.float().sigmoid()
    inside = (logits > 0).float()
    area, mass = inside.mean((-2, -1)), probability.mean((-2, -1))
    overlap = (probability * inside).mean((-2, -1))
    unsure = (probability * (1 - probability)).mean((-2, -1))
    across = (inside[..., 1:] - inside[..., :-1]).abs().sum((-2, -1))
    down = (inside[..., 1:, :] - inside[..., :-1, :]).abs().sum((-2, -1))
    side = area.sqrt()
    outline = (across + down) / logits.shape[-1]
    return torch.stack(
        (
            overlap / (area + _LEAST),
            overlap / (area + mass - overlap + _LEAST),
            4 * unsure / (mass + _LEAST),
            outline / (10 * side + 10 * _LEAST),
            side,
            (area + _LEAST).log() / 9.21 + 1,
        ),
        dim=-1,
    )
