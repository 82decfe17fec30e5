"""The image encoder: a plain vision transformer with windowed attention, four global blocks and a convolutional neck.

Source: paper section 3 and ViTDet (Li et al. 2022, arXiv 2203.16527); parameter names follow the public implementation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from anymask.errors import ConfigError, InputError
from anymask.model.embedding import ImageEmbedding
from anymask.model.layers import LayerNorm2d, pointwise, prefers_cache_path
from anymask.model.vit_attention import VitAttention
from anymask.model.windows import WindowGroup, whole_grid, window_layout


@dataclass(frozen=True, kw_only=True, slots=True)
class VitConfig:
    """Sizes of the encoder; the defaults are ViT-B's."""

    dim: int = 768
    """Channels of a token."""
    depth: int = 12
    """Transformer blocks."""
    heads: int = 12
    """Attention heads a block."""
    global_blocks: tuple[int, ...] = (2, 5, 8, 11)
    """Blocks that attend over the whole grid; the others attend inside windows."""
    window: int = 14
    """Side of an attention window in tokens."""
    mlp_ratio: int = 4
    """Hidden channels of the MLP over `dim`."""
    out_dim: int = 256
    """Channels of the embedding."""
    native_size: int = 1024
    """Input side in pixels for which the position tables are stored; other sizes interpolate them."""
    drop_path: float = 0.0
    """Chance of leaving out the last block's branches in training, growing linearly from 0 at the first block."""
    recompute: bool = False
    """Keep no activations inside blocks in training; the backward pass computes them again (less memory, more time)."""

    def __post_init__(self) -> None:
        if self.dim % self.heads or self.depth < 1:
            raise ConfigError(f"VitConfig.dim {self.dim} must divide by heads {self.heads}, and depth be at least 1")
        if any(not 0 <= block < self.depth for block in self.global_blocks):
            raise ConfigError(f"VitConfig.global_blocks {self.global_blocks} must lie in 0..{self.depth - 1}")
        if self.window < 1:
            raise ConfigError(f"VitConfig.window must be at least 1 token, got {self.window}")
        if self.native_size % PATCH or self.native_size < PATCH:
            raise ConfigError(f"VitConfig.native_size must be a multiple of {PATCH}, got {self.native_size}")
        if not 0 <= self.drop_path < 1:
            raise ConfigError(f"VitConfig.drop_path must be in [0, 1), got {self.drop_path}")

    @staticmethod
    def named(name: str) -> VitConfig:
        """The released sizes: "vit_b", "vit_l" or "vit_h"."""
        if name == "vit_b":
            return VitConfig()
        if name == "vit_l":
            return VitConfig(dim=1024, depth=24, heads=16, global_blocks=(5, 11, 17, 23))
        if name == "vit_h":
            return VitConfig(dim=1280, depth=32, heads=16, global_blocks=(7, 15, 23, 31))
        raise ConfigError(f"unknown vision transformer {name!r}; known are vit_b, vit_l, vit_h")


PATCH = 16
"""Side of a patch in pixels."""
MLP_CHUNK = 2048
"""Tokens a pass of the MLP in CPU inference: its hidden layer then stays in cache and below malloc's mmap threshold."""


class PatchEmbed(nn.Module):
    """(B, 3, H, W) -> (B, H/16, W/16, C)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, kernel_size=PATCH, stride=PATCH)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.proj(images).permute(0, 2, 3, 1)
        return out


class VitMlp(nn.Module):
    """Two linear layers with GELU between; layer names as in the public implementation."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(dim, hidden)
        self.lin2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.lin2(F.gelu(self.lin1(x)))
        return out


class VitBlock(nn.Module):
    """Pre-norm attention and MLP, each with a residual."""

    def __init__(self, config: VitConfig, index: int) -> None:
        super().__init__()
        self.is_global = index in config.global_blocks
        self.drop_path = config.drop_path * index / max(config.depth - 1, 1)
        side = config.native_size // PATCH if self.is_global else config.window
        self.norm1 = nn.LayerNorm(config.dim, eps=1e-6)
        self.attn = VitAttention(config.dim, config.heads, side)
        self.norm2 = nn.LayerNorm(config.dim, eps=1e-6)
        self.mlp = VitMlp(config.dim, config.dim * config.mlp_ratio)

    def forward(self, x: Tensor, groups: tuple[WindowGroup, ...] | None) -> Tensor:
        """(B, N, C) in the order of `groups` -> the same shape and order; None as in `transform_plainly`."""
        x = x + self._drop(self.attn(self.norm1(x), groups))
        return x + self._drop(self.mlp(self.norm2(x)))

    def _drop(self, branch: Tensor) -> Tensor:
        if not self.training or self.drop_path == 0:
            return branch
        kept = torch.rand(branch.shape[0], 1, 1, device=branch.device) >= self.drop_path
        return branch * (kept.to(branch.dtype) / (1 - self.drop_path))

    def update_in_place(self, x: Tensor, groups: tuple[WindowGroup, ...]) -> None:
        """`forward` without gradients for one image, x (N, C) overwritten; no temporary is larger than x."""
        for group in groups:
            part = x[group.start : group.stop]
            part += self.attn.attend_in_cache(self.norm1(part), group)
        lin1, lin2 = self.mlp.lin1, self.mlp.lin2
        for part in torch.split(x, MLP_CHUNK):
            hidden = pointwise(self.norm2(part), lin1.weight, lin1.bias)
            part += pointwise(F.gelu(hidden), lin2.weight, lin2.bias)


class VitEncoder(nn.Module):
    """(B, 3, H, W), sides multiples of 16 -> main (B, out_dim, H/16, W/16), no finer maps."""

    trunk_names = ("patch_embed.", "pos_embed", "blocks.")
    """How the names of the weights before the neck begin."""

    @property
    def lower_names(self) -> tuple[str, ...]:
        """How the names of the weights of the lower half of the blocks, and what comes before, begin."""
        return ("patch_embed.", "pos_embed", *(f"blocks.{index}." for index in range(self.config.depth // 2)))

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.config = config
        side = config.native_size // PATCH
        self.patch_embed = PatchEmbed(config.dim)
        self.pos_embed = nn.Parameter(torch.zeros(1, side, side, config.dim))
        self.blocks = nn.ModuleList(VitBlock(config, index) for index in range(config.depth))
        self.neck = nn.Sequential(
            nn.Conv2d(config.dim, config.out_dim, 1, bias=False),
            LayerNorm2d(config.out_dim),
            nn.Conv2d(config.out_dim, config.out_dim, 3, padding=1, bias=False),
            LayerNorm2d(config.out_dim),
        )
        nn.init.trunc_normal_(self.pos_embed, std=0.02)

    def forward(self, images: Tensor) -> ImageEmbedding:
        if images.shape[-2] % PATCH or images.shape[-1] % PATCH or 0 in images.shape:
            raise InputError(
                f"images have shape {tuple(images.shape)}; expected (B, 3, H, W) with sides that are multiples of 16"
            )
        if prefers_cache_path(images):
            # One image at a time: memory does not grow with the batch, and nothing is faster in a batch on a CPU.
            return ImageEmbedding(torch.cat([self._embed(image) for image in torch.split(images, 1)]))
        return ImageEmbedding(self._embed(images))

    def _embed(self, images: Tensor) -> Tensor:
        """The main map of `images`, computed in one go."""
        x = self.patch_embed(images)
        grid_hw = (x.shape[1], x.shape[2])
        x = (x + self._position(grid_hw)).flatten(1, 2)  # (B, N, C)
        x = self._transform(x, grid_hw, in_cache=prefers_cache_path(images))
        out: Tensor = self.neck(x.transpose(1, 2).reshape(x.shape[0], -1, *grid_hw))
        return out

    def _transform(self, x: Tensor, grid_hw: tuple[int, int], *, in_cache: bool) -> Tensor:
        """All blocks on (B, N, C) raster tokens; tokens are in window order between global blocks."""
        layout, everything = window_layout(grid_hw, self.config.window), whole_grid(grid_hw)
        order, back = (torch.from_numpy(index).to(x.device) for index in (layout.order, layout.back))
        is_raster = True
        for block in self.blocks:
            assert isinstance(block, VitBlock)
            if block.is_global != is_raster:
                x = x.index_select(1, back if block.is_global else order)
                is_raster = block.is_global
            groups = everything if block.is_global else layout.groups
            if in_cache:
                block.update_in_place(x[0], groups)
            else:
                x = self._run(block, x, groups)
        return x if is_raster else x.index_select(1, back)

    def transform_plainly(self, tokens: Tensor) -> Tensor:
        """All blocks on (B, N, C) tokens from anywhere in the image: every token attends to every other, and relative
        positions take no part. It equals what `forward` does where all blocks are global and their tables zero.
        """
        for block in self.blocks:
            tokens = self._run(block, tokens, None)
        return tokens

    def _run(self, block: nn.Module, x: Tensor, groups: tuple[WindowGroup, ...] | None) -> Tensor:
        """One block, its activations kept or computed again as configured."""
        out: Tensor
        if self.config.recompute and torch.is_grad_enabled():
            out = checkpoint(block, x, groups, use_reentrant=False)
        else:
            out = block(x, groups)
        return out

    def _position(self, grid_hw: tuple[int, int]) -> Tensor:
        """(1, h, w, C) absolute position embedding for the grid."""
        return resize_positions(self.pos_embed, grid_hw)


def resize_positions(table: Tensor, grid_hw: tuple[int, ...]) -> Tensor:
    """The (1, h, w, C) absolute position table for `grid_hw`, bicubic where it is for another grid (as ViTDet)."""
    if tuple(table.shape[1:3]) == grid_hw:
        return table
    resized = F.interpolate(table.float().permute(0, 3, 1, 2), grid_hw, mode="bicubic", align_corners=False)
    return resized.permute(0, 2, 3, 1).to(table.dtype)
