"""The paper's recipes for ViT-B, ViT-L and ViT-H, and its ablation without ambiguity.

Source: paper, appendix A "Training recipe". One picture a device: 256 devices for ViT-H, 128 for the others, started as
`torchrun --nnodes 32 --nproc-per-node 8 -m anymask train --recipe vit_h --data 'sa_*.tar' --from mae.safetensors`.
With fewer devices every process takes its share of the same batch, a picture at a time.
"""

from __future__ import annotations

from dataclasses import replace

from anymask.model.image_encoder import VitConfig
from anymask.model.mask_decoder import MaskDecoderConfig
from anymask.model.sam import SamConfig
from anymask.training.interactive import RoundsConfig
from anymask.training.promptable import Phase, TrainConfig
from anymask.training.schedule import OptimizerConfig


def vit_h() -> TrainConfig:
    """The released model's: 90,000 steps of 256 pictures, about two rounds over SA-1B.

    Command: torchrun ... -m anymask train --recipe vit_h --data 'sa_*.tar' --from mae_vit_h.safetensors --out runs/h
    Hardware of the paper: 256 A100 GPUs for 68 hours. Not run by this project.
    """
    return _paper("vit_h", steps=90_000, pictures=256, lr=8e-4, layer_decay=0.8, drop_path=0.4)


def vit_l() -> TrainConfig:
    """ViT-L: 180,000 steps of 128 pictures. Not run by this project.

    Command: torchrun ... -m anymask train --recipe vit_l --data 'sa_*.tar' --from mae_vit_l.safetensors --out runs/l
    """
    return _paper("vit_l", steps=180_000, pictures=128, lr=4e-4, layer_decay=0.8, drop_path=0.4)


def vit_b() -> TrainConfig:
    """ViT-B: 180,000 steps of 128 pictures. Not run by this project.

    Command: torchrun ... -m anymask train --recipe vit_b --data 'sa_*.tar' --from mae_vit_b.safetensors --out runs/b
    """
    return _paper("vit_b", steps=180_000, pictures=128, lr=8e-4, layer_decay=0.6, drop_path=0.6)


def single_output() -> TrainConfig:
    """ViT-H whose decoder gives one mask for every prompt: the paper's ablation of ambiguity. Not run by this project.

    Command: torchrun ... -m anymask train --recipe single_output --data 'sa_*.tar' --from mae_vit_h.safetensors --out o
    """
    base = vit_h()
    return replace(base, model=replace(base.model, mask_decoder=replace(base.model.mask_decoder, multimask_outputs=0)))


def _paper(name: str, *, steps: int, pictures: int, lr: float, layer_decay: float, drop_path: float) -> TrainConfig:
    """11 rounds, at most 64 masks a device, no augmentation; the rate falls after two thirds and 96.3 % of the steps
    (60,000 and 86,666 of 90,000; not stated for ViT-B and ViT-L).
    """
    return TrainConfig(
        model=SamConfig(
            image_encoder=replace(VitConfig.named(name), drop_path=drop_path, recompute=True),
            mask_decoder=MaskDecoderConfig(dropout=0.1),
        ),
        steps=steps,
        pictures=pictures,
        pictures_at_once=1,
        masks_a_process=64,
        phases=(Phase(masks=64, mask_loss="paper"),),
        rounds=RoundsConfig(),
        optimizer=OptimizerConfig(lr=lr, layer_decay=layer_decay, weight_decay=0.1, warmup_steps=250),
        precision="bfloat16",
        checkpoint_every=500,
        validate_every=5000,
        sheet_every=500,
    )
