"""Learning rate, parameter groups and the moving average of weights."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from anymask.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimizerConfig:
    """AdamW and its schedule; the defaults are the paper's for ViT-H."""

    lr: float = 8e-4
    """Peak learning rate of everything but the encoder."""
    encoder_lr_factor: float = 1.0
    """The encoder's learning rate as a share of `lr`; 0 freezes it."""
    layer_decay: float = 1.0
    """Factor on the learning rate from each encoder layer to the one below it; 1 for none. The neck has the
    encoder's full rate."""
    betas: tuple[float, float] = (0.9, 0.999)
    """AdamW's."""
    weight_decay: float = 0.1
    """On matrices and kernels only."""
    warmup_steps: int = 250
    """Linear from zero."""
    kind: Literal["steps", "cosine"] = "steps"
    """After the warm-up: constant with drops at `milestones`, or a half cosine to zero."""
    milestones: tuple[float, ...] = (0.6667, 0.9630)
    """Shares of all steps at which the rate is multiplied by `drop` (60k and 86,666 of 90k)."""
    drop: float = 0.1
    """Factor at each milestone."""
    clip_norm: float = 0.0
    """Largest gradient norm; 0 for no clipping (the paper states none)."""
    ema_decay: float = 0.0
    """Decay of the moving average of weights that is saved and validated; 0 for none."""

    def __post_init__(self) -> None:
        if self.lr <= 0:
            raise ConfigError(f"OptimizerConfig.lr must be positive, got {self.lr}")
        if not 0 < self.layer_decay <= 1:
            raise ConfigError(f"OptimizerConfig.layer_decay must be in (0, 1], got {self.layer_decay}")
        for name in ("encoder_lr_factor", "weight_decay", "warmup_steps", "clip_norm"):
            if getattr(self, name) < 0:
                raise ConfigError(f"OptimizerConfig.{name} must not be negative, got {getattr(self, name)}")
        if not 0 <= self.ema_decay < 1:
            raise ConfigError(f"OptimizerConfig.ema_decay must be in [0, 1), got {self.ema_decay}")


def rate_at(step: int, steps: int, config: OptimizerConfig, *, first: int = 0) -> float:
    """The learning rate of `step` (from 0) of `steps`, as a share of `lr`, in a run that began with step `first`."""
    warmup = min(1.0, (step - first + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    if config.kind == "cosine":
        progress = max(0, step - config.warmup_steps) / max(1, steps - config.warmup_steps)
        return warmup * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return warmup * config.drop ** sum(step >= share * steps for share in config.milestones)


def make_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW over the parameters that learn, in groups by their factor on the rate and by whether they are decayed."""
    groups: dict[tuple[float, bool], dict[str, Any]] = {}
    found = [int(match[1]) for name, _ in model.named_parameters() if (match := _BLOCK.match(name))]
    blocks = max(found, default=-1) + 1
    for name, parameter in model.named_parameters():
        encoder = name.startswith("image_encoder.")
        if encoder and config.encoder_lr_factor == 0:
            parameter.requires_grad_(False)
        if not parameter.requires_grad:
            continue
        decayed = parameter.ndim >= 2 and "embed" not in name and "token" not in name.rsplit(".", 2)[-2]
        factor = config.encoder_lr_factor * config.layer_decay ** layers_above(name, blocks) if encoder else 1.0
        group = groups.setdefault(
            (factor, decayed),
            {"params": [], "weight_decay": config.weight_decay if decayed else 0.0, "factor": factor},
        )
        group["params"].append(parameter)
    return torch.optim.AdamW(list(groups.values()), lr=config.lr, betas=config.betas)


_BLOCK = re.compile(r"image_encoder\.(?:blocks|stages)\.(\d+)\.")
_BELOW_ALL_BLOCKS = ("image_encoder.patch_embed.", "image_encoder.pos_embed", "image_encoder.stem.")


def layers_above(name: str, blocks: int) -> int:
    """Layers of an encoder of so many `blocks` above the one that the parameter `name` belongs to, the neck counted.

    The neck (and every other part of the model) has none, the last block 1, patches and positions `blocks` + 1.
    Source: layer-wise decay of BEiT (Bao et al. 2021, arXiv 2106.08254), in the form of ViTDet.

    >>> layers_above("image_encoder.blocks.11.attn.qkv.weight", 12)
    1
    """
    match = _BLOCK.match(name)
    if match:
        return blocks - int(match[1])
    return blocks + 1 if name.startswith(_BELOW_ALL_BLOCKS) else 0


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group `rate` times its own factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]


class MovingAverage:
    """Exponential moving average of a model's weights; early steps count more, so that it starts useful."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values: dict[str, Tensor] = {name: p.detach().clone() for name, p in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take the weights after `step` (from 0) in."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, parameter in model.named_parameters():
            self.values[name].lerp_(parameter.detach(), 1 - decay)

    @torch.no_grad()
    def swap(self, model: nn.Module) -> None:
        """Exchange the model's weights with the average; call again to undo."""
        for name, parameter in model.named_parameters():
            kept = parameter.detach().clone()
            parameter.copy_(self.values[name])
            self.values[name].copy_(kept)
