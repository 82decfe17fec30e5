"""Other people's checkpoints read as ours: the architecture from tensor shapes, and Hugging Face's names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from anymask.errors import ConfigError, WeightsError
from anymask.model.image_encoder import VitConfig
from anymask.model.mask_decoder import MaskDecoderConfig
from anymask.model.prompt_encoder import PromptEncoderConfig
from anymask.model.safe_file import State
from anymask.model.sam import SamConfig

_HUGGING_FACE_NAMES: tuple[tuple[str, str], ...] = (
    (r"vision_encoder\.patch_embed\.projection\.", "image_encoder.patch_embed.proj."),
    (r"vision_encoder\.layers\.(\d+)\.layer_norm(\d)\.", r"image_encoder.blocks.\1.norm\2."),
    (r"vision_encoder\.layers\.(\d+)\.", r"image_encoder.blocks.\1."),
    (r"vision_encoder\.neck\.conv1\.", "image_encoder.neck.0."),
    (r"vision_encoder\.neck\.layer_norm1\.", "image_encoder.neck.1."),
    (r"vision_encoder\.neck\.conv2\.", "image_encoder.neck.2."),
    (r"vision_encoder\.neck\.layer_norm2\.", "image_encoder.neck.3."),
    (r"vision_encoder\.", "image_encoder."),
    (r"shared_image_embedding\.positional_embedding", "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"),
    (r"prompt_encoder\.point_embed\.", "prompt_encoder.point_embeddings."),
    (r"prompt_encoder\.mask_embed\.conv1\.", "prompt_encoder.mask_downscaling.0."),
    (r"prompt_encoder\.mask_embed\.layer_norm1\.", "prompt_encoder.mask_downscaling.1."),
    (r"prompt_encoder\.mask_embed\.conv2\.", "prompt_encoder.mask_downscaling.3."),
    (r"prompt_encoder\.mask_embed\.layer_norm2\.", "prompt_encoder.mask_downscaling.4."),
    (r"prompt_encoder\.mask_embed\.conv3\.", "prompt_encoder.mask_downscaling.6."),
    (r"mask_decoder\.transformer\.layers\.(\d+)\.layer_norm(\d)\.", r"mask_decoder.transformer.layers.\1.norm\2."),
    (r"mask_decoder\.transformer\.layer_norm_final_attn\.", "mask_decoder.transformer.norm_final_attn."),
    (r"mask_decoder\.upscale_conv1\.", "mask_decoder.output_upscaling.0."),
    (r"mask_decoder\.upscale_layer_norm\.", "mask_decoder.output_upscaling.1."),
    (r"mask_decoder\.upscale_conv2\.", "mask_decoder.output_upscaling.3."),
    # Its heads call the first and last of three layers by name and count only the middle one.
    (r"(mask_decoder\.(?:output_hypernetworks_mlps\.\d+|iou_prediction_head))\.layers\.0\.", r"\1.layers.1."),
    (r"(mask_decoder\.(?:output_hypernetworks_mlps\.\d+|iou_prediction_head))\.proj_in\.", r"\1.layers.0."),
    (r"(mask_decoder\.(?:output_hypernetworks_mlps\.\d+|iou_prediction_head))\.proj_out\.", r"\1.layers.2."),
)
"""(pattern at the start of a name, its replacement), first match wins; other names are the same on both sides.

Source: transformers 5.x, models/sam/modeling_sam.py, compared with segment_anything's state dict.
"""

_TIED = "prompt_encoder.shared_embedding.positional_embedding"
"""Older folders store the positional matrix twice."""


def rename_hugging_face(state: Mapping[str, Tensor]) -> State:
    """A transformers `SamModel` state dict under our (the public implementation's) names."""
    matrix = "shared_image_embedding.positional_embedding"
    names = dict(state)
    tied = names.pop(_TIED, None)
    if tied is not None:
        names.setdefault(matrix, tied)
    return {_renamed(name): tensor for name, tensor in names.items()}


def _renamed(name: str) -> str:
    for pattern, replacement in _HUGGING_FACE_NAMES:
        changed, count = re.subn(rf"\A{pattern}", replacement, name)
        if count:
            return changed
    return name


def config_of_hugging_face(described: Any, state: Mapping[str, Tensor]) -> SamConfig:
    """The architecture of renamed `state`, with what shapes cannot tell read from the folder's config.json.

    Raises: WeightsError when the folder holds another kind of model, or a variant that this one cannot compute.
    """
    if not isinstance(described, Mapping) or described.get("model_type") != "sam":
        kind = described.get("model_type") if isinstance(described, Mapping) else type(described).__name__
        raise WeightsError(f"config.json describes a model of type {kind!r}; only SamModel folders (type 'sam') load")
    vision, decoder = (described.get(part) or {} for part in ("vision_config", "mask_decoder_config"))
    if not isinstance(vision, Mapping) or not isinstance(decoder, Mapping):
        raise WeightsError("config.json has a vision_config or mask_decoder_config that is not an object of fields")
    needed = {
        "vision_config.hidden_act": (vision.get("hidden_act", "gelu"), "gelu"),
        "vision_config.patch_size": (vision.get("patch_size", 16), 16),
        "vision_config.use_rel_pos": (vision.get("use_rel_pos", True), True),
        "mask_decoder_config.hidden_act": (decoder.get("hidden_act", "relu"), "relu"),
        "mask_decoder_config.attention_downsample_rate": (decoder.get("attention_downsample_rate", 2), 2),
    }
    for field, (got, wanted) in needed.items():
        if got != wanted:
            raise WeightsError(f"config.json has {field} = {got!r}; only {wanted!r} can be computed")
    config, heads = infer_config(state), decoder.get("num_attention_heads", 8)
    if not isinstance(heads, int) or heads < 1 or config.mask_decoder.dim % (2 * heads):
        raise WeightsError(
            f"config.json has mask_decoder_config.num_attention_heads = {heads!r}; "
            f"twice that must divide the decoder's {config.mask_decoder.dim} channels"
        )
    norm_eps = decoder.get("layer_norm_eps", 1e-6)
    if not isinstance(norm_eps, float) or not 0 < norm_eps < 1:
        raise WeightsError(f"config.json has mask_decoder_config.layer_norm_eps = {norm_eps!r}; expected about 1e-6")
    return replace(config, mask_decoder=replace(config.mask_decoder, heads=heads, norm_eps=norm_eps))


def infer_config(state: Mapping[str, Tensor]) -> SamConfig:
    """The architecture of a ViT model from the shapes of its tensors, under the public names.

    The decoder's number of attention heads leaves no trace in shapes: 8, as in every released model.

    Raises: WeightsError when the tensors are not those of a Segment Anything model with a ViT encoder.
    """
    try:
        encoder, grid = _infer_vit(state)
        mask_tokens = state["mask_decoder.mask_tokens.weight"].shape[0]
        layers = _count(state, r"mask_decoder\.transformer\.layers\.(\d+)\.")
        return SamConfig(
            image_encoder=encoder,
            prompt_encoder=PromptEncoderConfig(
                dim=state["prompt_encoder.no_mask_embed.weight"].shape[1],
                mask_channels=state["prompt_encoder.mask_downscaling.3.weight"].shape[0],
            ),
            mask_decoder=MaskDecoderConfig(
                dim=state["mask_decoder.iou_token.weight"].shape[1],
                depth=layers,
                mlp_dim=state["mask_decoder.transformer.layers.0.mlp.lin1.weight"].shape[0],
                multimask_outputs=mask_tokens - 1,
                iou_hidden=state["mask_decoder.iou_prediction_head.layers.0.weight"].shape[0],
            ),
            input_size=16 * grid,
        )
    except KeyError as error:
        raise WeightsError(
            f"no tensor is called {error}: not the parameters of a Segment Anything model with a ViT encoder "
            f"(found {len(state)} tensors, such as {', '.join(sorted(state)[:3]) or 'none'})"
        ) from error
    except (ConfigError, IndexError, ZeroDivisionError) as error:
        raise WeightsError(f"the tensors have shapes that make no Segment Anything model: {error}") from error


def _infer_vit(state: Mapping[str, Tensor]) -> tuple[VitConfig, int]:
    """The ViT's configuration and the side of its token grid."""
    dim = state["image_encoder.patch_embed.proj.weight"].shape[0]
    grid = state["image_encoder.pos_embed"].shape[1]
    depth = _count(state, r"image_encoder\.blocks\.(\d+)\.")
    tables = [state[f"image_encoder.blocks.{index}.attn.rel_pos_h"].shape for index in range(depth)]
    head_dim = tables[0][1]
    # A table has 2 * side - 1 rows; a block whose side is the whole grid attends globally.
    sides = [(rows + 1) // 2 for rows, _ in tables]
    windows = {side for side in sides if side != grid}
    if len(windows) > 1:
        raise WeightsError(f"the blocks have windows of {sorted(windows)} tokens; one size is expected")
    config = VitConfig(
        dim=dim,
        depth=depth,
        heads=dim // head_dim,
        global_blocks=tuple(index for index, side in enumerate(sides) if side == grid),
        window=windows.pop() if windows else 14,
        mlp_ratio=state["image_encoder.blocks.0.mlp.lin1.weight"].shape[0] // dim,
        native_size=16 * grid,
        out_dim=state["image_encoder.neck.0.weight"].shape[0],
    )
    return config, grid


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    """How many consecutive indices, from 0, the names that match `pattern` carry."""
    found = {int(match[1]) for name in state if (match := re.match(pattern, name))}
    count = 0
    while count in found:
        count += 1
    return count
