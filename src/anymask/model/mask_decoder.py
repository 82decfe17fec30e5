"""The mask decoder: image embedding and prompt tokens in, mask logits and predicted IoU out.

Source: paper section 3 and appendix A; parameter names follow the public implementation so that its weights load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anymask.errors import ConfigError
from anymask.model.convolutions import PointwiseConv
from anymask.model.embedding import ImageEmbedding
from anymask.model.folded_attention import ImageSide, first_tokens, later_tokens, project_image, transform
from anymask.model.layers import (
    LayerNorm2d,
    Mlp,
    is_exported,
    is_learned_plainly,
    is_recorded,
    pointwise,
    prefers_cache_path,
)
from anymask.model.learned_attention import transform_learning
from anymask.model.mask_quality import MaskQuality
from anymask.model.prompt_encoder import PromptEncoding
from anymask.model.row_products import times_rows
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
    """Masks returned for an ambiguous prompt; 0 is the paper's single-output ablation: one mask for every prompt."""
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
    quality_hidden: int = 0
    """Hidden width of the correction of predicted IoU by the look of the mask; 0 for none, as released."""

    def __post_init__(self) -> None:
        if self.dim % (2 * self.heads) or self.dim % 8:
            raise ConfigError(f"MaskDecoderConfig.dim {self.dim} must divide by 8 and by twice heads ({self.heads})")
        if self.multimask_outputs < 0 or self.depth < 1:
            raise ConfigError("MaskDecoderConfig.depth must be at least 1 and multimask_outputs not negative")
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
    """B = 1; or the image of every prompt, one by one, when they are on several (`Sam.prepare_each`,
    `Sam.prepare_several`)."""
    position: Tensor
    """(1, C, h, w) positional encoding of the embedding grid."""
    no_mask: Tensor
    """(1, C, 1, 1) the learned "no mask" embedding."""
    side: ImageSide | None = None
    """The image's side of the decoder's attention; None where a graph is recorded for export, dropout is on, or
    prompts are on several images."""


ALL_MASKS = slice(None)
"""The single-mask token's mask, then the ambiguous ones."""
PIXELS_AT_ONCE = 1024
"""Cells of the embedding upscaled at a time on a CPU, so that what they become stays in cache."""
FOLDED_SHARE = 0.7
"""In training, attention is folded onto the tokens while they are fewer than this share of a head's channels: with
more, projecting the image's positions is the smaller product."""

SMALL_MAP = 1024
"""Cells of the embedding up to which training takes the transformer in few operations (`learned_attention`); it keeps
the image once more for each attention, which for larger maps costs memory and saves no time."""


class RefineBlock(nn.Module):
    """Residual depthwise 3x3, GELU, pointwise: lets neighbours agree after a skip connection was added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.pointwise = PointwiseConv(channels, channels)

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
        if config.quality_hidden:
            self.quality = MaskQuality(masks, config.quality_hidden)
        if config.skip_finer:
            self.refine = nn.ModuleList((RefineBlock(dim // 4), RefineBlock(dim // 8)))
        if config.prompt_finer_channels:
            self.prompt_skips = nn.ModuleList(
                PointwiseConv(channels, width)
                for channels, width in zip(config.prompt_finer_channels, (dim // 4, dim // 8), strict=True)
            )

    def prepare(self, embedding: ImageEmbedding, position: Tensor, no_mask: Tensor) -> PreparedImage:
        """What every prompt on the image of `embedding` (B = 1) needs; see `PreparedImage` for the shapes."""
        if is_exported() or self._has_dropout:
            return PreparedImage(embedding, position, no_mask)
        # In the layout of what a prompt adds to them; the decoder's rows are then views.
        embedding = embedding.map(lambda maps: maps.contiguous(memory_format=torch.channels_last))
        image = _flat(embedding.main + no_mask)
        side = project_image(self.transformer, image, _flat(position))
        return PreparedImage(embedding, position, no_mask, side)

    def prepare_several(
        self, embedding: ImageEmbedding, counts: Sequence[int], position: Tensor, no_mask: Tensor
    ) -> PreparedImage:
        """`prepare` for B images at once, `counts[b]` prompts on image b in order, every one with a dense map."""

        def repeat(maps: Tensor) -> Tensor:
            rows = maps.permute(0, 2, 3, 1)  # channels last, as what the prompts add
            each = [rows[b : b + 1].expand(count, -1, -1, -1) for b, count in enumerate(counts)]
            return torch.cat(each).permute(0, 3, 1, 2)

        return PreparedImage(embedding.map(repeat), position, no_mask)

    def forward(
        self, prepared: PreparedImage, prompts: PromptEncoding, chosen: slice = ALL_MASKS
    ) -> tuple[Tensor, Tensor]:
        """Logits (P, M, 4h, 4w) and predicted IoU (P, M) of P prompts on the prepared image or images, for the `chosen`
        masks."""
        tokens = self._tokens(prompts)
        folds = prepared.side is not None and not self._has_dropout
        if folds and not is_recorded():
            return self._infer(prepared, prompts, tokens, chosen)
        small = prepared.side is None or prepared.embedding.main[0, 0].numel() <= SMALL_MAP
        few = tokens.shape[1] < FOLDED_SHARE * self.config.dim / 2 / self.config.heads
        if few and small and prompts.dense is not None and not self._has_dropout and is_learned_plainly(tokens):
            begun = _flat(prepared.embedding.main + prompts.dense)
            tokens, flat = transform_learning(self.transformer, tokens, begun, _flat(prepared.position))
        elif few and folds:
            assert prepared.side is not None
            images = None if prompts.dense is None else _flat(prepared.embedding.main + prompts.dense)
            tokens, flat = transform(self.transformer, tokens, prepared.side, images)
        else:
            source = prepared.embedding.main + (prepared.no_mask if prompts.dense is None else prompts.dense)
            tokens, flat = self.transformer(tokens, _flat(source), _flat(prepared.position))
        logits = self._masks(tokens, flat, prepared.embedding, prompts, chosen)
        return logits, self._scores(tokens, logits, chosen)

    @property
    def _has_dropout(self) -> bool:
        """Whether attention drops weights now, so that those of a token no longer add up to 1."""
        return self.training and self.config.dropout > 0

    def forward_folded(self, prepared: PreparedImage, prompts: PromptEncoding) -> tuple[Tensor, Tensor]:
        """`forward` for all masks in one step of folded algebra, as exported graphs hold it; `dense` must be given."""
        assert prompts.dense is not None
        embedding = prepared.embedding
        side = project_image(self.transformer, _flat(embedding.main), _flat(prepared.position))
        images = _flat(embedding.main + prompts.dense)
        tokens, flat = transform(self.transformer, self._tokens(prompts), side, images)
        logits = self._masks(tokens, flat, embedding, prompts, ALL_MASKS)
        return logits, self._scores(tokens, logits, ALL_MASKS)

    def _tokens(self, prompts: PromptEncoding) -> Tensor:
        """(P, T, C) what goes into the transformer: the IoU token, the mask tokens, the prompt's own."""
        heads = torch.cat((self.iou_token.weight, self.mask_tokens.weight))
        return torch.cat((heads.expand(prompts.sparse.shape[0], -1, -1), prompts.sparse), dim=1)

    def _infer(
        self, prepared: PreparedImage, prompts: PromptEncoding, tokens: Tensor, chosen: slice
    ) -> tuple[Tensor, Tensor]:
        """`forward` on the prepared image's side, a few prompts at a time."""
        assert prepared.side is not None
        # On a CPU batching makes an image-sized step slower, it falls out of cache; steps on tokens alone profit.
        group, step = (8, 1) if prefers_cache_path(tokens) else (64, 64)
        final, logits = [], []
        for start in range(0, len(tokens), group):
            several, encoded = tokens[start : start + group], _part(prompts, slice(start, start + group))
            images = None if encoded.dense is None else _flat(prepared.embedding.main + encoded.dense)
            begun = first_tokens(self.transformer, several, prepared.side, images)
            for index in range(0, len(several), step):
                part = slice(index, index + step)
                image = None if images is None else images[part]
                done, image = later_tokens(self.transformer, several[part], begun[part], prepared.side, image)
                final.append(done)
                logits.append(self._masks(done, image, prepared.embedding, _part(encoded, part), chosen))
        masks = torch.cat(logits)
        return masks, self._scores(torch.cat(final), masks, chosen)

    def _scores(self, tokens: Tensor, logits: Tensor, chosen: slice) -> Tensor:
        """(P, T, C) final tokens and the chosen masks' logits -> (P, M) predicted IoU."""
        scores: Tensor = self.iou_prediction_head(tokens[:, 0])[:, chosen]
        return self.quality(scores, logits, chosen) if self.config.quality_hidden else scores

    def _masks(
        self, tokens: Tensor, flat: Tensor, embedding: ImageEmbedding, prompts: PromptEncoding, chosen: slice
    ) -> Tensor:
        """Final tokens (P, T, C) and image (P, HW, C) -> (P, M, 4h, 4w) logits."""
        each = list(enumerate(self.output_hypernetworks_mlps, 1))[chosen]
        weights = torch.stack([mlp(tokens[:, index]) for index, mlp in each], dim=1)  # (P, M, C / 8)
        height, width = embedding.main.shape[-2:]
        if not self.config.skip_finer and prefers_cache_path(flat) and flat.shape[0] == 1:
            return self._upscale_by_products(flat[0], weights[0], (height, width))[None]
        image = flat.transpose(1, 2).reshape(flat.shape[0], -1, height, width)  # (P, C, h, w), channels_last in memory
        upscaled = self.upscale(image, embedding, prompts)
        if not is_learned_plainly(upscaled):
            return torch.einsum("pmc,pchw->pmhw", weights, upscaled)
        logits = times_rows(weights, upscaled.flatten(2).transpose(1, 2))
        return logits.view(*logits.shape[:2], *upscaled.shape[2:])

    def _upscale_by_products(self, flat: Tensor, weights: Tensor, hw: tuple[int, int]) -> Tensor:
        """`upscale` and the product with weights (M, C / 8) for one image (HW, C) on a CPU -> (M, 4h, 4w).

        A transposed convolution whose kernel is its stride is a matrix product of each pixel with 2 x 2 outputs.
        """
        first, norm, _, second, _ = self.output_upscaling
        assert isinstance(norm, LayerNorm2d)
        pieces = []
        for piece in torch.split(flat, PIXELS_AT_ONCE):
            eighth = _as_product(first, piece).view(-1, len(norm.weight))
            eighth = F.gelu(F.layer_norm(eighth, eighth.shape[-1:], norm.weight, norm.bias, norm.eps))
            quarter = F.gelu(_as_product(second, eighth)).view(-1, weights.shape[1])
            pieces.append(torch.mm(weights, quarter.t()))
        height, width = hw
        cells = torch.cat(pieces, dim=1).view(-1, height, width, 2, 2, 2, 2)
        return cells.permute(0, 1, 3, 5, 2, 4, 6).reshape(-1, 4 * height, 4 * width)

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


def _flat(image: Tensor) -> Tensor:
    """(P, C, h, w) -> (P, hw, C) contiguous."""
    return image.flatten(2).transpose(1, 2).contiguous()


def _part(prompts: PromptEncoding, rows: slice) -> PromptEncoding:
    """Some of the prompts."""
    dense = None if prompts.dense is None else prompts.dense[rows]
    return PromptEncoding(prompts.sparse[rows], dense, tuple(finer[rows] for finer in prompts.finer))


def _as_product(convolution: nn.Module, pixels: Tensor) -> Tensor:
    """(N, C) through a 2 x 2 transposed convolution of stride 2 -> (N, 2 * 2 * channels), rows before columns."""
    assert isinstance(convolution, nn.ConvTranspose2d)
    assert convolution.bias is not None
    weight = convolution.weight.permute(2, 3, 1, 0).flatten(0, 2)
    return pointwise(pixels, weight, convolution.bias.repeat(4))
