from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from anymask.errors import WeightsError
from anymask.model.convert import config_of_hugging_face, infer_config, rename_hugging_face
from anymask.model.image_encoder import VitConfig
from anymask.model.mask_decoder import MaskDecoderConfig
from anymask.model.prompt_encoder import PromptEncoderConfig
from anymask.model.sam import Sam, SamConfig

SMALL = SamConfig(
    image_encoder=VitConfig(dim=48, depth=4, heads=3, global_blocks=(1, 3), window=3, native_size=128, out_dim=32),
    prompt_encoder=PromptEncoderConfig(dim=32, mask_channels=8),
    mask_decoder=MaskDecoderConfig(dim=32, depth=3, mlp_dim=24, iou_hidden=20),
    input_size=128,
)


def shapes(config: SamConfig) -> dict[str, Tensor]:
    """A state dict without memory."""
    with torch.device("meta"):
        return dict(Sam(config).state_dict())


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"window": 5},
        {"global_blocks": ()},
        {"global_blocks": (0,)},
        {"mlp_ratio": 2},
        {"depth": 1, "global_blocks": ()},
        {"native_size": 256},
    ],
    ids=str,
)
def test_architecture_is_read_off_the_shapes(change: dict[str, object]) -> None:
    encoder = replace(SMALL.image_encoder, **change)
    config = replace(SMALL, image_encoder=encoder, input_size=encoder.native_size)
    assert infer_config(shapes(config)) == config


def test_blocks_that_are_all_global_are_told_from_windows() -> None:
    encoder = replace(SMALL.image_encoder, global_blocks=(0, 1, 2, 3), window=14)
    assert infer_config(shapes(replace(SMALL, image_encoder=encoder))).image_encoder == encoder


def test_decoder_variants_are_read_off_the_shapes() -> None:
    decoder = replace(SMALL.mask_decoder, depth=2, mlp_dim=40, iou_hidden=12, multimask_outputs=1)
    config = replace(SMALL, mask_decoder=decoder)
    assert infer_config(shapes(config)) == config


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("shared_image_embedding.positional_embedding", "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"),
        ("vision_encoder.pos_embed", "image_encoder.pos_embed"),
        ("vision_encoder.patch_embed.projection.bias", "image_encoder.patch_embed.proj.bias"),
        ("vision_encoder.layers.11.layer_norm2.weight", "image_encoder.blocks.11.norm2.weight"),
        ("vision_encoder.layers.3.attn.rel_pos_h", "image_encoder.blocks.3.attn.rel_pos_h"),
        ("vision_encoder.neck.conv2.weight", "image_encoder.neck.2.weight"),
        ("prompt_encoder.mask_embed.layer_norm2.bias", "prompt_encoder.mask_downscaling.4.bias"),
        ("prompt_encoder.point_embed.2.weight", "prompt_encoder.point_embeddings.2.weight"),
        ("prompt_encoder.no_mask_embed.weight", "prompt_encoder.no_mask_embed.weight"),
        ("mask_decoder.transformer.layers.0.layer_norm4.bias", "mask_decoder.transformer.layers.0.norm4.bias"),
        ("mask_decoder.transformer.layers.1.mlp.lin1.bias", "mask_decoder.transformer.layers.1.mlp.lin1.bias"),
        ("mask_decoder.transformer.layer_norm_final_attn.weight", "mask_decoder.transformer.norm_final_attn.weight"),
        ("mask_decoder.upscale_layer_norm.weight", "mask_decoder.output_upscaling.1.weight"),
        ("mask_decoder.iou_prediction_head.proj_in.bias", "mask_decoder.iou_prediction_head.layers.0.bias"),
        ("mask_decoder.iou_prediction_head.layers.0.bias", "mask_decoder.iou_prediction_head.layers.1.bias"),
        (
            "mask_decoder.output_hypernetworks_mlps.3.proj_out.weight",
            "mask_decoder.output_hypernetworks_mlps.3.layers.2.weight",
        ),
    ],
)
def test_hugging_face_names_become_ours(theirs: str, ours: str) -> None:
    assert list(rename_hugging_face({theirs: torch.zeros(1)})) == [ours]


@pytest.mark.parametrize("both", [True, False], ids=["stored twice", "stored under the tied name only"])
def test_tied_positional_matrix_is_taken_once(both: bool) -> None:
    tied, own = torch.zeros(2, 3), torch.ones(2, 3)
    state = {"prompt_encoder.shared_embedding.positional_embedding": tied}
    if both:
        state["shared_image_embedding.positional_embedding"] = own
    (renamed,) = rename_hugging_face(state).items()
    assert renamed[0] == "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
    assert renamed[1] is (own if both else tied)


def test_what_shapes_cannot_tell_comes_from_the_description() -> None:
    described = {"model_type": "sam", "mask_decoder_config": {"num_attention_heads": 4, "layer_norm_eps": 1e-3}}
    decoder = config_of_hugging_face(described, shapes(SMALL)).mask_decoder
    assert (decoder.heads, decoder.norm_eps) == (4, 1e-3)


def test_description_that_leaves_all_out_means_their_defaults() -> None:
    decoder = replace(SMALL.mask_decoder, heads=8, norm_eps=1e-6)
    assert config_of_hugging_face({"model_type": "sam"}, shapes(SMALL)) == replace(SMALL, mask_decoder=decoder)


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({"model_type": "sam2"}, "'sam2'; only SamModel"),
        ({}, "type None"),
        ([], "type 'list'"),
        ({"model_type": "sam", "vision_config": {"patch_size": 8}}, "patch_size = 8; only 16"),
        ({"model_type": "sam", "vision_config": {"use_rel_pos": False}}, "use_rel_pos = False"),
        ({"model_type": "sam", "vision_config": {"hidden_act": "relu"}}, "only 'gelu'"),
        ({"model_type": "sam", "mask_decoder_config": {"attention_downsample_rate": 4}}, "only 2"),
        ({"model_type": "sam", "mask_decoder_config": {"num_attention_heads": 0}}, "num_attention_heads = 0"),
        ({"model_type": "sam", "mask_decoder_config": {"num_attention_heads": -8}}, "num_attention_heads = -8"),
        ({"model_type": "sam", "mask_decoder_config": {"num_attention_heads": "8"}}, "num_attention_heads = '8'"),
        ({"model_type": "sam", "mask_decoder_config": {"layer_norm_eps": 0.0}}, "layer_norm_eps = 0.0"),
        ({"model_type": "sam", "mask_decoder_config": {"layer_norm_eps": None}}, "layer_norm_eps = None"),
        ({"model_type": "sam", "mask_decoder_config": 7}, "mask_decoder_config"),
    ],
)
def test_folder_that_this_model_cannot_compute_is_refused(described: object, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        config_of_hugging_face(described, shapes(SMALL))
