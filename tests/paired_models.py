"""The same random weights in a shortened public model and in ours, for tests that compare whole programs."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from anymask.model.image_encoder import VitConfig
from anymask.model.mask_decoder import MaskDecoderConfig
from anymask.model.prompt_encoder import PromptEncoderConfig
from anymask.model.sam import Sam, SamConfig
from tests.public_sam import import_public_sam

DEPTH, WIDTH, DIM = 2, 64, 64
GAIN = 8


def small_public_model(input_size: int = 256, seed: int = 0) -> Any:
    """The public `Sam` with two encoder blocks and 64 channels, every parameter random and lively.

    Freshly initialised weights answer all prompts alike, with logits near zero.
    """
    modeling = import_public_sam().modeling
    model = modeling.Sam(
        image_encoder=modeling.ImageEncoderViT(
            depth=DEPTH,
            embed_dim=WIDTH,
            img_size=input_size,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            num_heads=2,
            use_rel_pos=True,
            global_attn_indexes=(DEPTH - 1,),
            window_size=14,
            out_chans=DIM,
        ),
        prompt_encoder=modeling.PromptEncoder(
            embed_dim=DIM,
            image_embedding_size=(input_size // 16, input_size // 16),
            input_image_size=(input_size, input_size),
            mask_in_chans=16,
        ),
        mask_decoder=modeling.MaskDecoder(
            num_multimask_outputs=3,
            transformer=modeling.TwoWayTransformer(depth=2, embedding_dim=DIM, mlp_dim=128, num_heads=4),
            transformer_dim=DIM,
            iou_head_hidden_dim=DIM,
        ),
    ).eval()
    enliven(model, seed)
    return model


def enliven(model: Any, seed: int) -> None:
    """Make every parameter of a public `Sam` random and its masks lie around the clicks."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            fan_in = parameter[0].numel() if parameter.ndim > 1 and "embed" not in name else 1
            is_scale = parameter.ndim == 1 and "norm" in name and name.endswith("weight")
            parameter.copy_(1 + 0.1 * noise if is_scale else noise * (0.1 if parameter.ndim == 1 else fan_in**-0.5))
        table = model.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix
        table.copy_(0.5 * torch.randn(table.shape, generator=generator))
        _answer_near_the_click(model)


def _answer_near_the_click(model: Any) -> None:
    """Change random weights so that each click gives other shapes, most of them around it.

    Weights that are only random answer all clicks with nearly the same masks as large as the picture, of which
    suppression leaves one. Here tokens attend to themselves and pixels to the nearest click (equal query and key
    projections), what does not depend on the click is weak, and upscaling repeats cells instead of adding patterns.
    """
    prompts, decoder = model.prompt_encoder, model.mask_decoder
    model.image_encoder.neck[3].weight *= 0.1
    model.image_encoder.neck[3].bias *= 0.1
    for table in (decoder.iou_token, decoder.mask_tokens, prompts.no_mask_embed, prompts.not_a_point_embed):
        table.weight *= 0.1
    prompts.point_embeddings[1].weight *= 0.2
    for layer in decoder.transformer.layers:
        for attention in (layer.self_attn, layer.cross_attn_image_to_token):
            attention.q_proj.weight *= 2
            attention.k_proj.load_state_dict(attention.q_proj.state_dict())
        layer.norm3.weight *= 0.2
        layer.norm3.bias *= 0.2
    for index in (0, 3):
        weight = decoder.output_upscaling[index].weight
        weight.copy_(weight[:, :, :1, :1].expand_as(weight))
    _fit_readout(model)


def _fit_readout(model: Any, clicks: int = 16) -> None:
    """Set the dynamic classifiers' biases, by least squares, to what comes nearest to discs around clicks."""
    size = model.image_encoder.img_size
    generator = torch.Generator().manual_seed(1)
    unit_xy = torch.rand(clicks, 2, generator=generator)
    features: list[Tensor] = []
    upscaling = model.mask_decoder.output_upscaling
    hook = upscaling.register_forward_hook(lambda _module, _given, found: features.append(found))
    points = (unit_xy * size)[:, None], torch.ones(clicks, 1)
    sparse, dense = model.prompt_encoder(points=points, boxes=None, masks=None)
    embedding = model.image_encoder(torch.randn(1, 3, size, size, generator=generator))
    model.mask_decoder(embedding, model.prompt_encoder.get_dense_pe(), sparse, dense, True)
    hook.remove()
    rows = features[0].permute(0, 2, 3, 1).flatten(0, 2)  # (clicks * h * w, C)
    cells = (torch.arange(size // 4) + 0.5) / (size // 4)
    distance = torch.hypot(cells[:, None] - unit_xy[:, 1, None, None], cells - unit_xy[:, 0, None, None])
    for mlp, radius in zip(model.mask_decoder.output_hypernetworks_mlps[1:], (0.08, 0.15, 0.25), strict=True):
        due = ((radius - distance) * size / 8).clamp(-4, 4).reshape(-1, 1)
        importance = torch.where(due > 0, 5.0, 1.0)
        left, right = (rows * importance).double(), (due * importance).double()
        normal = left.T @ left
        # A little ridge: the solution must not hang on rounding.
        normal += 1e-4 * normal.diagonal().mean() * torch.eye(len(normal))
        mlp.layers[-1].bias.copy_(torch.linalg.solve(normal, left.T @ right)[:, 0])
        mlp.layers[-1].weight *= 0.2


def ours_with_weights_of(public: Any) -> Sam:
    """Our model of the same sizes with the same weights."""
    config = SamConfig(
        image_encoder=VitConfig(
            dim=WIDTH,
            depth=DEPTH,
            heads=2,
            global_blocks=(DEPTH - 1,),
            out_dim=DIM,
            native_size=public.image_encoder.img_size,
        ),
        prompt_encoder=PromptEncoderConfig(dim=DIM),
        mask_decoder=MaskDecoderConfig(dim=DIM, heads=4, mlp_dim=128, iou_hidden=DIM),
        input_size=public.image_encoder.img_size,
    )
    model = Sam(config).eval()
    model.load_state_dict(public.state_dict())
    return model
