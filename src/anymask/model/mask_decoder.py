"""The mask decoder: image embedding and prompt tokens in, mask logits and predicted IoU out.

Source: paper section 3 and appendix A; parameter names follow the public implementation so that its weights load.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anymask.errors import ConfigError
from anymask.model.embedding import ImageEmbedding
from anymask.model.layers import LayerNorm2d, Mlp
from anymask.model.prompt_encoder import PromptEncoding
from anymask.model.two_way_transformer import TwoWayTransformer


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskDecoderConfig:
    """Widths and depths of the decoder; the defaults are the released model's."""

    dim: int = 256
    """Channels of tokens and of the main map."""
    depth: int = 2
    """Two-way layers (3 in the model that made SA-1B)."""
    heads: int = 8
    """Attention heads; cross-attention runs at half of `dim`."""
    mlp_dim: int = 2048
    """Hidden width of the token MLP."""
    multimask_outputs: int = 3
    """Masks returned for an ambiguous prompt; 1 is the paper's single-output ablation."""
    iou_hidden: int = 256
    """Hidden width of the IoU head."""
    dropout: float = 0.0
    """Dropout in training; the paper uses 0.1, the public code has none."""
    norm_eps: float = 1e-5
    """Added to the variance by the two-way layers' norms: 1e-5 in the public code, 1e-6 in Hugging Face's SamModel."""
    skip_finer: bool = False
    """Add the embedding's finer maps (and the drawn prompts') while upscaling, each followed by a small residual
    block. For encoders that have finer maps."""
    prompt_finer_channels: tuple[int, ...] = ()
    """Channels of the drawn prompt maps at strides 8 and 4; empty when prompts are not drawn."""

    def __post_init__(self) -> None:
        if self.dim % (2 * self.heads) or self.dim % 8:
            raise ConfigError(f"MaskDecoderConfig.dim {self.dim} must divide by 8 and by twice heads ({self.heads})")
        if self.multimask_outputs < 1 or self.depth < 1:
            raise ConfigError("MaskDecoderConfig.multimask_outputs and depth must be at least 1")
        if not self.norm_eps > 0:
            raise ConfigError(f"MaskDecoderConfig.norm_eps must be above 0, got {self.norm_eps}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"MaskDecoderConfig.dropout must be in [0, 1), got {self.dropout}")
        if len(self.prompt_finer_channels) not in (0, 2):
            raise ConfigError(
                "MaskDecoderConfig.prompt_finer_channels must be empty or have two entries (strides 8, 4)"
            )


@dataclass(frozen=True, slots=True, eq=False)
class PreparedImage:
    """One image as the decoder wants it, made once and used by every prompt."""

    embedding: ImageEmbedding
    """B = 1."""
    position: Tensor
    """(1, C, h, w) positional encoding of the embedding grid."""
    no_mask: Tensor
    """(1, C, 1, 1) the learned "no mask" embedding."""


class RefineBlock(nn.Module):
    """Residual depthwise 3x3, GELU, pointwise: lets neighbours agree after a skip connection was added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.pointwise = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.pointwise(F.gelu(self.depthwise(x)))
        return out


class MaskDecoder(nn.Module):
    """Predicts `1 + multimask_outputs` masks a prompt: the single-mask token's first, then whole / part / sub-part."""

    def __init__(self, config: MaskDecoderConfig) -> None:
        super().__init__()
        self.config = config
        dim, masks = config.dim, 1 + config.multimask_outputs
        self.transformer = TwoWayTransformer(
            dim=dim,
            depth=config.depth,
            heads=config.heads,
            mlp_dim=config.mlp_dim,
            dropout=config.dropout,
            norm_eps=config.norm_eps,
        )
        self.iou_token = nn.Embedding(1, dim)
        self.mask_tokens = nn.Embedding(masks, dim)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(dim, dim // 4, kernel_size=2, stride=2),
            LayerNorm2d(dim // 4),
            nn.GELU(),
            nn.ConvTranspose2d(dim // 4, dim // 8, kernel_size=2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(Mlp(dim, dim, dim // 8, 3) for _ in range(masks))
        self.iou_prediction_head = Mlp(dim, config.iou_hidden, masks, 3)
        if config.skip_finer:
            self.refine = nn.ModuleList((RefineBlock(dim // 4), RefineBlock(dim // 8)))
        if config.prompt_finer_channels:
            self.prompt_skips = nn.ModuleList(
                nn.Conv2d(channels, width, 1)
                for channels, width in zip(config.prompt_finer_channels, (dim // 4, dim // 8), strict=True)
            )

    def forward(self, prepared: PreparedImage, prompts: PromptEncoding) -> tuple[Tensor, Tensor]:
        """Logits (P, 1 + M, 4h, 4w) and predicted IoU (P, 1 + M) of P prompts on one image."""
        count = prompts.sparse.shape[0]
        heads = torch.cat((self.iou_token.weight, self.mask_tokens.weight))
        tokens = torch.cat((heads.expand(count, -1, -1), prompts.sparse), dim=1)
        main = prepared.embedding.main
        height, width = main.shape[-2:]
        source = main + (prepared.no_mask if prompts.dense is None else prompts.dense)
        flat = source.flatten(2).transpose(1, 2)  # (P or 1, HW, C)
        tokens, flat = self.transformer(tokens, flat, prepared.position.flatten(2).transpose(1, 2))
        image = flat.transpose(1, 2).unflatten(2, (height, width))  # (P, C, h, w), channels_last in memory
        upscaled = self.upscale(image, prepared.embedding, prompts)
        weights = torch.stack(
            [mlp(tokens[:, 1 + index]) for index, mlp in enumerate(self.output_hypernetworks_mlps)], dim=1
        )  # (P, 1 + M, C / 8)
        logits = torch.einsum("pmc,pchw->pmhw", weights, upscaled)
        return logits, self.iou_prediction_head(tokens[:, 0])

    def upscale(self, image: Tensor, embedding: ImageEmbedding, prompts: PromptEncoding) -> Tensor:
        """(P, C, h, w) -> (P, C/8, 4h, 4w) by two stride-2 transposed convolutions, skips added when configured."""
        first, norm, gelu, second, last = self.output_upscaling
        if not self.config.skip_finer:
            out: Tensor = self.output_upscaling(image)
            return out
        eighth = first(image) + embedding.finer[0]
        if self.config.prompt_finer_channels:
            eighth = eighth + self.prompt_skips[0](prompts.finer[0])
        eighth = self.refine[0](gelu(norm(eighth)))
        quarter = second(eighth) + embedding.finer[1]
        if self.config.prompt_finer_channels:
            quarter = quarter + self.prompt_skips[1](prompts.finer[1])
        refined: Tensor = self.refine[1](last(quarter))
        return refined
