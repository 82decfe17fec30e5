"""Prompts as the decoder reads them: a token per point or corner, and a dense map for a rough mask.

Source: paper section 3 and appendix A; parameter names follow the public implementation so that its weights load.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anymask.errors import ConfigError
from anymask.model.layers import LayerNorm2d
from anymask.prompts.types import BACKGROUND, BOX_BOTTOM_RIGHT, BOX_TOP_LEFT, FOREGROUND, PADDING, PromptBatch


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptEncoderConfig:
    """Widths of the prompt encoder."""

    dim: int = 256
    """Channels of tokens and of the dense map; the decoder's width."""
    mask_channels: int = 16
    """Channels inside the mask downscaling (a quarter of it after the first step)."""
    draw_prompts: bool = False
    """Also draw clicks and boxes as soft maps beside the mask prompt (4 channels instead of 1) and hand the finer
    maps on. Not in the paper; small models learn from it where a click is with far fewer steps."""

    def __post_init__(self) -> None:
        if self.dim % 2 or self.dim < 2:
            raise ConfigError(f"PromptEncoderConfig.dim must be even (sine and cosine halves), got {self.dim}")
        if self.mask_channels % 4 or self.mask_channels < 4:
            raise ConfigError(f"PromptEncoderConfig.mask_channels must be a multiple of 4, got {self.mask_channels}")


@dataclass(frozen=True, slots=True, eq=False)
class PromptEncoding:
    """What the decoder gets for P prompts."""

    sparse: Tensor
    """(P, N, C) tokens."""
    dense: Tensor | None
    """(P, C, h, w) to add to the image embedding; None means the learned "no mask" embedding for all."""
    finer: tuple[Tensor, ...] = ()
    """Prompt maps at strides 8 and 4 for the decoder's upscaling; empty unless prompts are drawn."""


class PositionEncoding(nn.Module):
    """Random-Fourier positional encoding with a fixed Gaussian matrix (2, C/2)."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, dim // 2))

    def forward(self, unit_xy: Tensor) -> Tensor:
        """(..., 2) coordinates in [0, 1] -> (..., C), computed in float32 whatever the model's dtype."""
        matrix = self.positional_encoding_gaussian_matrix.float()
        angles = (2 * math.pi) * ((2 * unit_xy.float() - 1) @ matrix)
        return torch.cat((angles.sin(), angles.cos()), dim=-1)

    def grid(self, height: int, width: int) -> Tensor:
        """(C, height, width) encoding of the cell centres."""
        device = self.positional_encoding_gaussian_matrix.device
        ys = (torch.arange(height, device=device, dtype=torch.float32) + 0.5) / height
        xs = (torch.arange(width, device=device, dtype=torch.float32) + 0.5) / width
        unit_xy = torch.stack((xs.expand(height, width), ys[:, None].expand(height, width)), dim=-1)
        return self.forward(unit_xy).permute(2, 0, 1)


class PromptEncoder(nn.Module):
    """Encodes points, boxes (as corner points) and mask logits."""

    def __init__(self, config: PromptEncoderConfig) -> None:
        super().__init__()
        self.config = config
        dim, mid = config.dim, config.mask_channels
        self.pe_layer = PositionEncoding(dim)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, dim) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, dim)
        self.no_mask_embed = nn.Embedding(1, dim)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(4 if config.draw_prompts else 1, mid // 4, kernel_size=2, stride=2),
            LayerNorm2d(mid // 4),
            nn.GELU(),
            nn.Conv2d(mid // 4, mid, kernel_size=2, stride=2),
            LayerNorm2d(mid),
            nn.GELU(),
            nn.Conv2d(mid, dim, kernel_size=1),
        )

    @property
    def finer_channels(self) -> tuple[int, ...]:
        """Channels of `PromptEncoding.finer`, coarse to fine."""
        return (self.config.mask_channels // 4, 4) if self.config.draw_prompts else ()

    def forward(self, prompts: PromptBatch, input_size: int) -> PromptEncoding:
        """The encoding of P prompts for a square input of `input_size` pixels."""
        dtype = self.no_mask_embed.weight.dtype
        sparse = self.embed_points(prompts.points_xy, prompts.labels, input_size).to(dtype)
        if self.config.draw_prompts:
            maps = draw_prompts(prompts, input_size).to(dtype).contiguous(memory_format=torch.channels_last)
            half = self.mask_downscaling[:3](maps)
            dense = self.mask_downscaling[3:](half)
            if prompts.mask_logits is None:
                dense = dense + self.no_mask_embed.weight[0, :, None, None].to(dense.dtype)
            return PromptEncoding(sparse, dense, (half, maps))
        if prompts.mask_logits is None:
            return PromptEncoding(sparse, None)
        return PromptEncoding(sparse, self.mask_downscaling(prompts.mask_logits.to(dtype)))

    def embed_points(self, points_xy: Tensor, labels: Tensor, input_size: int) -> Tensor:
        """(P, N, 2) input pixels and (P, N) labels -> (P, N, C). Coordinates move to pixel centres."""
        position = self.pe_layer((points_xy.float() + 0.5) / input_size)
        position = torch.where((labels == PADDING)[..., None], 0.0, position)
        # Row 0 is PADDING (-1), then BACKGROUND, FOREGROUND and the two corners.
        known = [embedding.weight for embedding in self.point_embeddings if isinstance(embedding, nn.Embedding)]
        kinds = torch.cat([self.not_a_point_embed.weight, *known])
        return position + kinds.float()[labels + 1]

    def dense_position(self, height: int, width: int) -> Tensor:
        """(1, C, height, width) positional encoding of the embedding grid."""
        return self.pe_layer.grid(height, width)[None].to(self.no_mask_embed.weight.dtype)


def draw_prompts(prompts: PromptBatch, input_size: int) -> Tensor:
    """(P, 4, S/4, S/4) soft maps in [-1, 1]: the squashed mask logits, foreground clicks, background clicks, box.

    A click is a Gaussian of 8 input pixels; a box is the share of each cell it covers, 0 everywhere without a box.
    """
    size = input_size // 4
    points = (prompts.points_xy.float() + 0.5) / 4  # (P, N, 2) in cells
    labels = prompts.labels
    centres = torch.arange(size, device=points.device, dtype=torch.float32) + 0.5
    dx = (centres - points[..., :1]) ** 2  # (P, N, size)
    dy = (centres - points[..., 1:]) ** 2
    sigma = 2.0
    bump_x, bump_y = torch.exp(dx / (-2 * sigma**2)), torch.exp(dy / (-2 * sigma**2))
    clicks = []
    for label in (FOREGROUND, BACKGROUND):
        chosen = (labels == label).float()[..., None]
        # A sum, clamped: clicks closer than their width saturate instead of outvoting the rest.
        clicks.append(torch.einsum("pny,pnx->pyx", bump_y * chosen, bump_x).clamp(max=1.0))
    corner = centres - 0.5
    first = (labels == BOX_TOP_LEFT).float()[..., None]
    last = (labels == BOX_BOTTOM_RIGHT).float()[..., None]
    low = (points * first).sum(1)  # (P, 2) cells
    high = (points * last).sum(1)
    cover_x = (torch.minimum(corner + 1, high[:, :1]) - torch.maximum(corner, low[:, :1])).clamp(0, 1)
    cover_y = (torch.minimum(corner + 1, high[:, 1:]) - torch.maximum(corner, low[:, 1:])).clamp(0, 1)
    box = cover_y[:, :, None] * cover_x[:, None, :]
    logits = prompts.mask_logits
    mask = torch.zeros_like(box) if logits is None else torch.tanh(logits[:, 0].float() / 4)
    return torch.stack((mask, clicks[0], clicks[1], box), dim=1)
