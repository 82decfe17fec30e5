"""A small model with the paper's kind of encoder, to walk the paper's path on two CPU cores."""

from __future__ import annotations

from dataclasses import replace

from anymask.images.augment import ViewConfig
from anymask.model.image_encoder import VitConfig
from anymask.model.mask_decoder import MaskDecoderConfig
from anymask.model.prompt_encoder import PromptEncoderConfig
from anymask.model.sam import SamConfig
from anymask.recipes.tiny import tiny
from anymask.training.promptable import Phase, TrainConfig


def small_encoder() -> VitConfig:
    """Half of the blocks and a quarter of the channels of ViT-B; `mae_small` pre-trains it."""
    return VitConfig(dim=192, depth=6, heads=6, global_blocks=(2, 5), window=8, out_dim=128, native_size=256)


def small_vit(steps: int = 4000) -> TrainConfig:
    """The paper's architecture in small at 256 pixels, from a pre-trained encoder.

    Command: anymask train --recipe small_vit --from runs/mae/model.safetensors --data 'train-*.tar' --out runs/vit
    To see what pre-training is worth, the same with `--from random`; benchmarks/mae_start.py runs both.
    """
    base = tiny(steps)
    view = ViewConfig(whole_probability=0.35, crop_fraction=(0.3, 1.0), flip_probability=0.5, colour=0.2)
    return replace(
        base,
        model=SamConfig(
            image_encoder=small_encoder(),
            prompt_encoder=PromptEncoderConfig(dim=128),
            mask_decoder=MaskDecoderConfig(dim=128, heads=4, mlp_dim=512, iou_hidden=128),
            input_size=256,
        ),
        phases=(
            # Class-balanced for longer than `tiny`, which begins with ImageNet features: without it an encoder that
            # knows nothing yet of masks sits on the all-background plateau.
            Phase(until=0.60, masks=8, mask_loss="balanced", clicks=1),
            Phase(until=0.80, masks=8, mask_loss="normalised", clicks=1),
            Phase(until=1.0, masks=8, mask_loss="normalised", clicks=2),
        ),
        data=replace(base.data, view=view),
        optimizer=replace(base.optimizer, encoder_lr_factor=1.0, layer_decay=0.8),
        validate_every=200,
    )
