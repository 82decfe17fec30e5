"""Pre-training of image encoders by masked autoencoding."""

from __future__ import annotations

from dataclasses import replace

from anymask.model.image_encoder import VitConfig
from anymask.recipes.small import small_encoder
from anymask.training.mae import MaeConfig, PretrainConfig
from anymask.training.schedule import OptimizerConfig

_IMAGENET_PICTURES, _BATCH, _EPOCHS, _WARMUP_EPOCHS = 1_281_167, 4096, 1600, 40


def mae_vit_b() -> PretrainConfig:
    """ViT-B as MAE pre-trains it on ImageNet-1K: 1600 epochs in batches of 4096 pictures.

    Written down from the paper and never run here; it is for many GPUs.
    Command: torchrun OPTIONS -m anymask pretrain --recipe mae_vit_b --data 'imagenet-*.tar' --out runs/mae_vit_b
    Source: MAE (He et al. 2021, arXiv 2111.06377), table 8: AdamW (.9, .95), weight decay .05, learning rate 1.5e-4
    for each 256 pictures of a batch, 40 epochs of warm-up, half a cosine; decoder of 8 blocks and 512 channels; 75 %
    hidden; random crops and flips only. Steps are epochs times pictures over the batch, of ImageNet-1K's 1,281,167.
    """
    return _published("vit_b")


def mae_vit_l() -> PretrainConfig:
    """ViT-L in the same way; see `mae_vit_b`."""
    return _published("vit_l")


def mae_vit_h() -> PretrainConfig:
    """ViT-H in the same way, what SAM starts from; see `mae_vit_b`. Patches are 16 pixels (MAE's are 14)."""
    return _published("vit_h")


def mae_small(steps: int = 4000) -> PretrainConfig:
    """A small vision transformer, on two CPU cores; `small_vit` goes on from it.

    Command: torchrun --standalone --nproc-per-node 2 -m anymask pretrain --recipe mae_small --data 'train-*.tar'
    --out runs/mae
    """
    return PretrainConfig(
        model=MaeConfig(
            encoder=replace(small_encoder(), native_size=224), decoder_dim=96, decoder_depth=2, decoder_heads=3
        ),
        steps=steps,
        pictures=64,
        pictures_at_once=16,
        optimizer=OptimizerConfig(
            lr=1e-3, betas=(0.9, 0.95), weight_decay=0.05, warmup_steps=200, kind="cosine", clip_norm=1.0
        ),
        checkpoint_every=100,
        sheet_every=200,
    )


def _published(name: str) -> PretrainConfig:
    return PretrainConfig(
        model=MaeConfig(encoder=replace(VitConfig.named(name), native_size=224)),
        steps=round(_EPOCHS * _IMAGENET_PICTURES / _BATCH),
        pictures=_BATCH,
        pictures_at_once=64,
        optimizer=OptimizerConfig(
            lr=1.5e-4 * _BATCH / 256,
            betas=(0.9, 0.95),
            weight_decay=0.05,
            warmup_steps=round(_WARMUP_EPOCHS * _IMAGENET_PICTURES / _BATCH),
            kind="cosine",
        ),
        precision="bfloat16",
        checkpoint_every=1000,
        sheet_every=1000,
    )
