"""The promptable model: an image encoder that runs once; prompt encoder and mask decoder answer each prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anymask.errors import ConfigError
from anymask.model.embedding import ImageEmbedding
from anymask.model.image_encoder import VitConfig, VitEncoder
from anymask.model.mask_decoder import ALL_MASKS, MaskDecoder, MaskDecoderConfig, PreparedImage
from anymask.model.prompt_encoder import PromptEncoder, PromptEncoderConfig
from anymask.model.tiny_encoder import TinyEncoder, TinyEncoderConfig
from anymask.prompts.types import PromptBatch

IMAGENET_MEAN, IMAGENET_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


class ImageEncoder(Protocol):
    """Anything that turns preprocessed images into an `ImageEmbedding`."""

    def __call__(self, images: Tensor) -> ImageEmbedding:
        """(B, 3, S, S) normalised and padded -> the embedding of B images."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class SamConfig:
    """A whole model; saved beside the weights, so that a file says what it is."""

    image_encoder: VitConfig | TinyEncoderConfig
    """Which encoder, and its sizes."""
    prompt_encoder: PromptEncoderConfig = field(default_factory=PromptEncoderConfig)
    """Prompt encoder widths."""
    mask_decoder: MaskDecoderConfig = field(default_factory=MaskDecoderConfig)
    """Decoder widths."""
    input_size: int = 1024
    """Side of the padded square input in pixels; a multiple of 32."""
    pixel_mean: tuple[float, float, float] = IMAGENET_MEAN
    """Subtracted from RGB values 0..255."""
    pixel_std: tuple[float, float, float] = IMAGENET_STD
    """Divides what is left."""

    def __post_init__(self) -> None:
        if self.input_size % 32 or self.input_size < 32:
            raise ConfigError(f"SamConfig.input_size must be a multiple of 32, got {self.input_size}")
        if not self.prompt_encoder.dim == self.mask_decoder.dim:
            raise ConfigError(
                f"SamConfig: prompt_encoder.dim {self.prompt_encoder.dim} != mask_decoder.dim {self.mask_decoder.dim}"
            )

    @staticmethod
    def named(name: str) -> SamConfig:
        """The configuration of "tiny", "vit_b", "vit_l" or "vit_h"."""
        if name == "tiny":
            return tiny_config(context_depth=4, main_depth=3, wide_depth=5, detail_depth=4)
        if name in ("vit_b", "vit_l", "vit_h"):
            return SamConfig(image_encoder=VitConfig.named(name))
        raise ConfigError(f"unknown model {name!r}; known are tiny, vit_b, vit_l, vit_h")


def tiny_config(*, dim: int = 128, input_size: int = 512, quality_hidden: int = 32, **depths: int) -> SamConfig:
    """The kind of the embedded model: EfficientNet-Lite0 pyramid, narrow decoder, drawn prompts, mask quality.

    `depths` are of `TinyEncoderConfig`. Training begins without most of the encoder's blocks; `SamConfig.named("tiny")`
    has them all.
    """
    prompts = PromptEncoderConfig(dim=dim, mask_channels=32, draw_prompts=True)
    return SamConfig(
        image_encoder=TinyEncoderConfig(dim=dim, **depths),
        prompt_encoder=prompts,
        mask_decoder=MaskDecoderConfig(
            dim=dim,
            heads=4,
            mlp_dim=4 * dim,
            iou_hidden=dim,
            skip_finer=True,
            prompt_finer_channels=(prompts.mask_channels // 4, 4),
            quality_hidden=quality_hidden,
        ),
        input_size=input_size,
        pixel_mean=(127.0, 127.0, 127.0),  # EfficientNet-Lite's own normalisation
        pixel_std=(128.0, 128.0, 128.0),
    )


@dataclass(frozen=True, slots=True, eq=False)
class MaskPrediction:
    """Low-res answers to P prompts, M masks each."""

    logits: Tensor
    """(P, M, mask_size, mask_size) in the padded input frame; above 0 is foreground."""
    iou: Tensor
    """(P, M) predicted IoU."""


class Sam(nn.Module):
    """Image encoder, prompt encoder and mask decoder; tensors in, tensors out."""

    pixel_mean: Tensor
    pixel_std: Tensor
    mask_threshold: float = 0.0
    """Logits above this are foreground."""

    def __init__(self, config: SamConfig) -> None:
        super().__init__()
        self.config = config
        encoder = config.image_encoder
        self.image_encoder: VitEncoder | TinyEncoder = (
            VitEncoder(encoder) if isinstance(encoder, VitConfig) else TinyEncoder(encoder)
        )
        self.prompt_encoder = PromptEncoder(config.prompt_encoder)
        self.mask_decoder = MaskDecoder(config.mask_decoder)
        self.input_size = config.input_size
        self.register_buffer("pixel_mean", torch.tensor(config.pixel_mean).view(3, 1, 1), persistent=False)
        self.register_buffer("pixel_std", torch.tensor(config.pixel_std).view(3, 1, 1), persistent=False)

    @staticmethod
    def from_name(name: str) -> Sam:
        """A model of that architecture with random weights, in eval mode; `anymask.load` gives a trained one."""
        return Sam(SamConfig.named(name)).eval()

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.pixel_mean.device

    @property
    def dtype(self) -> torch.dtype:
        """What the parameters are computed in."""
        return self.mask_decoder.iou_token.weight.dtype

    @property
    def mask_size(self) -> int:
        """Side of the low-res logits in cells: a quarter of the input."""
        return self.input_size // 4

    def preprocess(self, pixels: Tensor) -> Tensor:
        """(B, 3, h, w) RGB 0..255 with max(h, w) <= S -> (B, 3, S, S) normalised, zero-padded bottom and right."""
        normal = self.normalise(pixels)
        height, width = normal.shape[-2:]
        return F.pad(normal, (0, self.input_size - width, 0, self.input_size - height))

    def normalise(self, pixels: Tensor) -> Tensor:
        """(B, 3, h, w) RGB 0..255 -> the same shape with the model's mean and deviation taken out, in its dtype."""
        # float32 whatever the model's dtype: bfloat16 cannot hold 0..255 minus the mean. Moved first, as bytes.
        normal = (pixels.to(self.device).to(torch.float32) - self.pixel_mean.float()) / self.pixel_std.float()
        return normal.to(self.dtype)

    def normalise_padded(self, pixels: Tensor, content_hw: Sequence[tuple[int, int]]) -> Tensor:
        """(B, 3, S, S) RGB 0..255, padded already; each picture takes `content_hw` of it -> as `preprocess`."""
        images = self.normalise(pixels)
        for image, (height, width) in zip(images, content_hw, strict=True):
            image[:, height:] = 0
            image[:, :, width:] = 0
        return images

    def embed(self, images: Tensor) -> ImageEmbedding:
        """(B, 3, S, S) from `preprocess` -> the embedding of B images."""
        embedding: ImageEmbedding = self.image_encoder(images)
        return embedding

    def prepare(self, embedding: ImageEmbedding) -> PreparedImage:
        """What the decoder needs of one image (B = 1), computed once for all of its prompts."""
        return self.mask_decoder.prepare(embedding, *self._without_prompts(embedding))

    def prepare_each(self, embedding: ImageEmbedding, owners: Tensor) -> PreparedImage:
        """`prepare` for P prompts on several images at once: the p-th prompt is on image `owners[p]` (P,) int64.

        Nothing is computed ahead: every prompt carries its image. For training on a GPU, which has the memory and
        would wait for its orders if the images came one by one.
        """
        of_prompts = embedding.map(lambda maps: maps.index_select(0, owners))
        return PreparedImage(of_prompts, *self._without_prompts(embedding))

    def prepare_several(self, embedding: ImageEmbedding, counts: Sequence[int]) -> PreparedImage:
        """`prepare` for B images at once: `counts[b]` prompts on image b, one image's after the other's.

        For training on a CPU with few masks an image, where each small operation costs more to begin than to do. Only
        for a model that draws its prompts: without a map of its own a prompt needs its image's projections.
        """
        assert self.config.prompt_encoder.draw_prompts
        return self.mask_decoder.prepare_several(embedding, counts, *self._without_prompts(embedding))

    def _without_prompts(self, embedding: ImageEmbedding) -> tuple[Tensor, Tensor]:
        """What the decoder has for any prompt: positions (1, C, h, w) and "no mask" (1, C, 1, 1)."""
        height, width = embedding.main.shape[-2:]
        no_mask = self.prompt_encoder.no_mask_embed.weight[:, :, None, None]
        return self.prompt_encoder.dense_position(height, width), no_mask

    def decode_all(self, prepared: PreparedImage, prompts: PromptBatch) -> MaskPrediction:
        """All masks of the decoder: the single-mask token's first, then the ambiguous three. Training uses this."""
        return self._decode(prepared, prompts, ALL_MASKS)

    def decode(self, prepared: PreparedImage, prompts: PromptBatch, *, multimask: bool) -> MaskPrediction:
        """The answers to P prompts: three masks each when `multimask` (and the model has them), else one."""
        several = multimask and self.config.mask_decoder.multimask_outputs > 0
        return self._decode(prepared, prompts, slice(1, None) if several else slice(0, 1))

    def _decode(self, prepared: PreparedImage, prompts: PromptBatch, chosen: slice) -> MaskPrediction:
        size = prepared.embedding.main.shape[-1] * 16
        logits, iou = self.mask_decoder(prepared, self.prompt_encoder(prompts, size), chosen)
        return MaskPrediction(logits, iou)
