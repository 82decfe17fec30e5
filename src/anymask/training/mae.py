"""Masked autoencoding: an image encoder learns from pictures alone, by filling in what it was not shown.

The encoder is `VitEncoder` with its own names; while it is pre-trained every token attends to every other one and
relative positions stay zero, as in a plain vision transformer. Windows and relative positions begin when it becomes
part of a `Sam` (`initial.sam_from_mae`), as ViTDet does with plain pre-trained encoders. There is no class token, since
SAM's encoder has none.
Source: MAE (He et al. 2021, arXiv 2111.06377); SAM's paper, section 3 and appendix A.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from anymask.errors import ConfigError, DatasetError
from anymask.images.augment import SquareConfig, random_square
from anymask.model.encoder_weights import save_encoder
from anymask.model.image_encoder import PATCH, VitBlock, VitConfig, VitEncoder
from anymask.model.sam import IMAGENET_MEAN, IMAGENET_STD
from anymask.runs import RunFolder
from anymask.training.ahead import Ahead
from anymask.training.batches import Records
from anymask.training.group import Group
from anymask.training.loop import Loop, Share
from anymask.training.mixture import mix_sets
from anymask.training.patches import (
    PATCH_VALUES,
    from_patches,
    hidden_patches,
    masked_loss,
    patch_statistics,
    to_patches,
    visible_count,
    wave_positions,
)
from anymask.training.schedule import OptimizerConfig
from anymask.training.sheets import Reconstruction, draw_reconstructions

_SHOWN = 4
"""Pictures on a sheet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MaeConfig:
    """A masked autoencoder; the defaults are the paper's decoder on ViT-B."""

    encoder: VitConfig = field(default_factory=lambda: VitConfig(native_size=224))
    """The encoder. `native_size` is the side of the images in pixels; windows and global blocks are for later."""
    hidden_ratio: float = 0.75
    """Share of the patches that the encoder does not see."""
    decoder_dim: int = 512
    """Channels of a token in the decoder."""
    decoder_depth: int = 8
    """Blocks of the decoder."""
    decoder_heads: int = 16
    """Attention heads of a decoder block."""
    pixel_mean: tuple[float, float, float] = IMAGENET_MEAN
    """Subtracted from RGB values 0..255; that of the model to come."""
    pixel_std: tuple[float, float, float] = IMAGENET_STD
    """Divides what is left."""

    def __post_init__(self) -> None:
        if self.encoder.dim % 4 or self.decoder_dim % 4:
            raise ConfigError(
                f"MaeConfig.encoder.dim {self.encoder.dim} and decoder_dim {self.decoder_dim} must be multiples of 4: "
                "positions are sines and cosines of rows and columns"
            )
        if self.decoder_depth < 1 or self.decoder_heads < 1 or self.decoder_dim % self.decoder_heads:
            raise ConfigError(
                f"MaeConfig.decoder_depth must be at least 1, and decoder_dim {self.decoder_dim} divide by "
                f"decoder_heads {self.decoder_heads}"
            )
        if not 0 < self.hidden_ratio < 1 or visible_count(self.patches, self.hidden_ratio) == self.patches:
            raise ConfigError(
                f"MaeConfig.hidden_ratio {self.hidden_ratio} must be in (0, 1) and hide one of {self.patches} patches"
            )

    @property
    def side(self) -> int:
        """Patches along a side of the image."""
        return self.encoder.native_size // PATCH

    @property
    def patches(self) -> int:
        """Patches of an image."""
        return self.side**2


class MaskedAutoencoder(nn.Module):
    """Image encoder and the light decoder that is thrown away after pre-training."""

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, config: MaeConfig) -> None:
        super().__init__()
        self.config = config
        self.image_encoder = VitEncoder(config.encoder)
        self.decoder = MaeDecoder(config)
        self.register_buffer("pixel_mean", torch.tensor(config.pixel_mean).view(3, 1, 1), persistent=False)
        self.register_buffer("pixel_std", torch.tensor(config.pixel_std).view(3, 1, 1), persistent=False)
        self._begin()

    def _begin(self) -> None:
        """MAE's first weights; what pre-training does not touch (positions, relative positions, neck) is frozen."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        patch_embed = self.image_encoder.patch_embed.proj
        nn.init.xavier_uniform_(patch_embed.weight.data.view(patch_embed.weight.shape[0], -1))
        side, dim = self.config.side, self.config.encoder.dim
        with torch.no_grad():
            self.image_encoder.pos_embed.copy_(wave_positions(side, dim).view(1, side, side, dim))
        for name, parameter in self.named_parameters():
            if name.endswith(("pos_embed", "rel_pos_h", "rel_pos_w")) or ".neck." in name:
                parameter.requires_grad_(False)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.pixel_mean.device

    def normalise(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) RGB 0..255 -> the same shape with mean and deviation taken out, float32."""
        return (pixels.to(self.device, torch.float32) - self.pixel_mean) / self.pixel_std

    def forward(self, images: Tensor, hidden: Tensor) -> Tensor:
        """(B, 3, S, S) normalised images, (B, N) bool with equal counts -> (B, N, 768) predicted normalised patches."""
        # Visible patches first, both parts in raster order: a sort that keeps the order of equals.
        order = hidden.to(torch.uint8).argsort(dim=1, stable=True)
        visible = order[:, : int((~hidden[0]).sum())]
        predicted: Tensor = self.decoder(self.encode(images, visible), visible)
        return predicted

    def encode(self, images: Tensor, visible: Tensor) -> Tensor:
        """(B, 3, S, S) normalised images, (B, V) int64 patches to see -> (B, V, C) their tokens after all blocks.

        Nothing of the other patches takes part.
        """
        encoder = self.image_encoder
        tokens = (encoder.patch_embed(images) + encoder.pos_embed).flatten(1, 2)  # (B, N, C)
        seen = tokens.gather(1, visible[..., None].expand(-1, -1, tokens.shape[-1]))
        return encoder.transform_plainly(seen)


class MaeDecoder(nn.Module):
    """(B, V, C) visible tokens -> (B, N, 768) values of every patch, normalised patch by patch."""

    positions: Tensor

    def __init__(self, config: MaeConfig) -> None:
        super().__init__()
        sizes = VitConfig(
            dim=config.decoder_dim,
            depth=config.decoder_depth,
            heads=config.decoder_heads,
            global_blocks=(),
            window=1,
        )
        # The encoder's last norm is the decoder's first: SAM's encoder goes from its blocks to the neck without one.
        self.first_norm = nn.LayerNorm(config.encoder.dim, eps=1e-6)
        self.project = nn.Linear(config.encoder.dim, config.decoder_dim)
        self.hidden_token = nn.Parameter(torch.empty(config.decoder_dim))
        self.blocks = nn.ModuleList(VitBlock(sizes, index) for index in range(sizes.depth))
        self.last_norm = nn.LayerNorm(config.decoder_dim, eps=1e-6)
        self.predict = nn.Linear(config.decoder_dim, PATCH_VALUES)
        self.register_buffer("positions", wave_positions(config.side, config.decoder_dim), persistent=False)
        nn.init.normal_(self.hidden_token, std=0.02)

    def forward(self, seen: Tensor, visible: Tensor) -> Tensor:
        """`seen` (B, V, C) are the tokens of the patches `visible` (B, V) int64."""
        known = self.project(self.first_norm(seen))
        batch, channels = known.shape[0], known.shape[-1]
        everywhere = self.hidden_token.to(known.dtype).expand(batch, len(self.positions), channels)
        tokens = everywhere.scatter(1, visible[..., None].expand(-1, -1, channels), known) + self.positions
        for block in self.blocks:
            tokens = block(tokens, None)
        out: Tensor = self.predict(self.last_norm(tokens))
        return out


@dataclass(frozen=True, kw_only=True, slots=True)
class PretrainConfig:
    """One complete pre-training run."""

    model: MaeConfig
    """Architecture."""
    steps: int
    """Optimiser steps."""
    pictures: int = 64
    """Pictures a step, of all processes together."""
    pictures_at_once: int = 0
    """Pictures of a process that are in memory together; their gradients add up to the step's. 0 for all."""
    view: SquareConfig = field(default_factory=SquareConfig)
    """Random square crops and flips; the only augmentation, as in the paper."""
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(lr=1.5e-4, betas=(0.9, 0.95), weight_decay=0.05, kind="cosine")
    )
    """AdamW and its schedule. Unlike MAE's, the patch embedding is not decayed, as everywhere here."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the forward pass; bfloat16 by autocast, weights stay float32."""
    exclude_sets: tuple[str, ...] = ()
    """Sets of the data that are left out by name."""
    seed: int = 0
    """Of everything random."""
    checkpoint_every: int = 100
    """Steps between checkpoints."""
    sheet_every: int = 100
    """Steps between sheets of reconstructions; 0 for none."""

    def __post_init__(self) -> None:
        for name in ("steps", "pictures", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"PretrainConfig.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("pictures_at_once", "sheet_every"):
            if getattr(self, name) < 0:
                raise ConfigError(f"PretrainConfig.{name} must not be negative, got {getattr(self, name)}")

    @property
    def first_step(self) -> int:
        """Pre-training begins at its beginning."""
        return 0

    @property
    def validate_every(self) -> int:
        """Never: there is no score by which weights are chosen, the last ones are kept."""
        return 0


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """One process's share of a step: square views and what is hidden of each."""

    names: tuple[str, ...]
    pixels: npt.NDArray[np.uint8]
    """(B, S, S, 3) RGB."""
    hidden: npt.NDArray[np.bool_]
    """(B, N) patches that the encoder does not see."""

    def split(self, at_once: int) -> Iterator[Views]:
        """The same in parts of so many pictures; 0 for all in one."""
        for start in range(0, len(self.names), at_once or max(1, len(self.names))):
            part = slice(start, start + at_once if at_once else None)
            yield Views(self.names[part], self.pixels[part], self.hidden[part])


class Pretrainer(Loop[MaskedAutoencoder]):
    """A run of masked autoencoding; label maps are not looked at."""

    def __init__(
        self,
        config: PretrainConfig,
        records: Records,
        run: RunFolder,
        initial: MaskedAutoencoder | None = None,
        group: Group | None = None,
    ) -> None:
        """Start or go on: the newest checkpoint of `run` wins over `initial`, which wins over random weights.

        Raises: DatasetError when there are no records.
        """
        if len(records) == 0:
            raise DatasetError("there are no training pictures; check the paths and the set names left out")
        torch.manual_seed(config.seed)
        super().__init__(config, initial if initial is not None else MaskedAutoencoder(config.model), run, group)
        self.config, self.records = config, records
        self._mixture = mix_sets([""] * len(records), (), config.seed)
        self._ahead = Ahead[int, Views](self.make)
        self._seen: tuple[Views, Tensor] | None = None
        self.restore()

    def close(self) -> None:
        self._ahead.close()
        super().close()

    def write(self, path: Path) -> None:
        save_encoder(self.model.image_encoder, path, {"step": str(self.step)})

    def make(self, step: int) -> Views:
        """This process's share of the views of `step`; each depends on seed, step and place in the batch alone."""
        config, size = self.config, self.config.model.encoder.native_size
        names, pixels, hidden = [], [], []
        for place in self.group.share(config.pictures):
            record = self.records[self._mixture.at(step * config.pictures + place)]
            rng = np.random.default_rng((config.seed, 1, step, place))
            names.append(record.name)
            pixels.append(random_square(record.pixels(), size, config.view, rng))
            hidden.append(hidden_patches(config.model.patches, config.model.hidden_ratio, rng))
        if not names:
            empty = (np.zeros((0, size, size, 3), np.uint8), np.zeros((0, config.model.patches), np.bool_))
            return Views((), *empty)
        return Views(tuple(names), np.stack(pixels), np.stack(hidden))

    def learn_from(self, step: int) -> Share:
        (views,) = self._ahead.get([step], [step + 1] if step + 1 < self.config.steps else [])
        losses: list[float] = []
        self._seen = None
        for part in views.split(self.config.pictures_at_once):
            images, hidden = self._images(part), torch.from_numpy(part.hidden).to(self.model.device)
            with self.autocast():
                predicted = self.model(images, hidden)
            loss = masked_loss(predicted, to_patches(images), hidden)
            losses += loss.detach().tolist()
            if not bool(torch.isfinite(loss).all()):
                return Share(losses, is_finite=False)
            torch.autograd.backward(loss.sum())
            if self._seen is None:
                self._seen = (part, predicted[:_SHOWN].detach().float())
        return Share(losses)

    def _images(self, views: Views) -> Tensor:
        """(B, 3, S, S) normalised."""
        return self.model.normalise(torch.from_numpy(views.pixels).permute(0, 3, 1, 2))

    def describe(self) -> dict[str, float]:
        return {}

    def draw(self, path: Path) -> None:
        """Write what the last step saw and filled in."""
        if self._seen is None:
            return
        views, predicted = self._seen
        draw_reconstructions(path, fill_in(self.model, views, predicted))


def fill_in(model: MaskedAutoencoder, views: Views, predicted: Tensor) -> list[Reconstruction]:
    """The first of the views as they were seen and as `predicted` (B or fewer, N, 768) fills them in, for people.

    A hidden patch's own mean and deviation, which the loss takes out, are put back.
    """
    count = len(predicted)
    true = to_patches(model.normalise(torch.from_numpy(views.pixels[:count]).permute(0, 3, 1, 2)))
    mean, deviation = patch_statistics(true)
    hidden = torch.from_numpy(views.hidden[:count, :, None]).to(true.device)
    filled = torch.where(hidden, predicted * deviation + mean, true)
    pixels = from_patches(filled) * model.pixel_std + model.pixel_mean
    answers = pixels.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return [Reconstruction(*one) for one in zip(views.names, views.pixels, views.hidden, answers, strict=False)]
