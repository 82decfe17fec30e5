"""Models small enough to write many times, and their state."""

from __future__ import annotations

from torch import Tensor

from anymask.model.image_encoder import VitConfig
from anymask.model.mask_decoder import MaskDecoderConfig
from anymask.model.prompt_encoder import PromptEncoderConfig
from anymask.model.sam import Sam, SamConfig

State = dict[str, Tensor]


def small_vit_config() -> SamConfig:
    return SamConfig(
        image_encoder=VitConfig(dim=32, depth=3, heads=2, global_blocks=(1,), window=3, native_size=128, out_dim=16),
        prompt_encoder=PromptEncoderConfig(dim=16, mask_channels=8),
        mask_decoder=MaskDecoderConfig(dim=16, depth=3, mlp_dim=24, iou_hidden=20),
        input_size=128,
    )


def state_of(model: Sam) -> State:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}
