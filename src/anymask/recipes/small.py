"""A small model with the paper's kind of encoder, to walk the paper's path on two CPU cores."""

from __future__ import annotations

from anymask.images.augment import ViewConfig
from anymask.model.image_encoder import VitConfig
from anymask.model.mask_decoder import MaskDecoderConfig
from anymask.model.prompt_encoder import PromptEncoderConfig
from anymask.model.sam import SamConfig
from anymask.prompts.simulate import ClickConfig
from anymask.training.batches import DataConfig
from anymask.training.interactive import RoundsConfig
from anymask.training.losses import LossConfig
from anymask.training.promptable import Phase, TrainConfig
from anymask.training.schedule import OptimizerConfig


def small_encoder() -> VitConfig:
    """Half of the blocks and a quarter of the channels of ViT-B; `mae_small` pre-trains it."""
    return VitConfig(dim=192, depth=6, heads=6, global_blocks=(2, 5), window=8, out_dim=128, native_size=256)


def small_vit(steps: int = 4000) -> TrainConfig:
    """The paper's architecture in small at 256 pixels, from a pre-trained encoder.

    Command: anymask train --recipe small_vit --from runs/mae/model.safetensors --data 'train-*.tar' --out runs/vit
    To see what pre-training is worth, the same with `--from random`; benchmarks/mae_start.py runs both.
    """
    return TrainConfig(
        model=SamConfig(
            image_encoder=small_encoder(),
            prompt_encoder=PromptEncoderConfig(dim=128),
            mask_decoder=MaskDecoderConfig(dim=128, heads=4, mlp_dim=512, iou_hidden=128),
            input_size=256,
        ),
        steps=steps,
        pictures=4,
        phases=(
            # Class-balanced first, as in `tiny`.
            Phase(until=0.10, masks=8, mask_loss="balanced", clicks=1),
            Phase(until=0.60, masks=8, mask_loss="normalised", clicks=1),
            Phase(until=1.0, masks=8, mask_loss="normalised", clicks=2),
        ),
        data=DataConfig(
            view=ViewConfig(whole_probability=0.35, crop_fraction=(0.3, 1.0), flip_probability=0.5, colour=0.2),
            min_area_px=32,
            repeats=3,
        ),
        rounds=RoundsConfig(
            clicks=2,
            mask_only_rounds=0,
            prompts=ClickConfig(box_probability=0.4, centre_probability=0.4),
            box_output="both",
            point_output="both",
        ),
        losses=LossConfig(iou_weight=3.0),
        optimizer=OptimizerConfig(
            lr=1e-3,
            layer_decay=0.8,
            weight_decay=0.02,
            warmup_steps=100,
            kind="cosine",
            clip_norm=1.0,
            ema_decay=0.998,
        ),
        checkpoint_every=100,
        validate_every=500,
        sheet_every=200,
    )
