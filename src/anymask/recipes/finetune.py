"""Recipes for one's own pictures, from a trained model, on one GPU or a laptop; from least to most that learns.

They take the architecture of the weights they start from:
`anymask train my_folder --from tiny --recipe finetune_decoder --out runs/mine`.
"""

from __future__ import annotations

from dataclasses import replace

from anymask.images.augment import ViewConfig
from anymask.model.sam import tiny_config
from anymask.prompts.simulate import ClickConfig
from anymask.training.batches import DataConfig
from anymask.training.interactive import RoundsConfig
from anymask.training.losses import LossConfig
from anymask.training.promptable import Phase, TrainConfig
from anymask.training.schedule import OptimizerConfig


def finetune_decoder(steps: int = 400) -> TrainConfig:
    """Decoder and prompt encoder learn. Each picture and its mirror image are embedded once and kept on disk.

    Command: anymask train my_folder --from vit_b --recipe finetune_decoder --out runs/mine
    """
    return TrainConfig(
        model=tiny_config(),
        steps=steps,
        pictures=4,
        pictures_at_once=1,
        phases=(Phase(masks=12, mask_loss="normalised", clicks=2),),
        data=DataConfig(view=ViewConfig(flip_probability=0.5), min_area_px=32),
        rounds=RoundsConfig(
            mask_only_rounds=1,
            prompts=ClickConfig(box_probability=0.4, centre_probability=0.4),
            box_output="both",
            point_output="both",
        ),
        losses=LossConfig(iou_weight=3.0),
        optimizer=OptimizerConfig(
            lr=2e-4, weight_decay=0.01, warmup_steps=20, kind="cosine", clip_norm=1.0, ema_decay=0.99
        ),
        learn="decoder",
        embedding_cache_gib=20.0,
        checkpoint_every=50,
        validate_every=100,
        sheet_every=50,
    )


def finetune_neck(steps: int = 400) -> TrainConfig:
    """Also what joins the encoder's trunk to the decoder (the neck, or the feature pyramid of `tiny`), on varied views.

    Command: anymask train my_folder --from tiny --recipe finetune_neck --out runs/mine
    """
    view = ViewConfig(whole_probability=0.5, crop_fraction=(0.4, 1.0), flip_probability=0.5, colour=0.2)
    base = finetune_decoder(steps)
    return replace(base, learn="neck", embedding_cache_gib=0.0, data=replace(base.data, view=view))


def finetune_lora(steps: int = 400) -> TrainConfig:
    """As `finetune_neck`, with low-rank changes of rank 8 of the trunk's weights; they are merged when written.

    Command: anymask train my_folder --from vit_b --recipe finetune_lora --out runs/mine
    """
    return replace(finetune_neck(steps), lora_rank=8)


def finetune_all(steps: int = 400) -> TrainConfig:
    """Every weight learns, the encoder's more slowly and the lower the less.

    Command: anymask train my_folder --from tiny --recipe finetune_all --out runs/mine
    """
    base = finetune_neck(steps)
    optimizer = replace(base.optimizer, encoder_lr_factor=0.3, layer_decay=0.8)
    return replace(base, learn="all", optimizer=optimizer)
