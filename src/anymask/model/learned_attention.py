"""The two-way transformer folded onto the tokens, for training: the algebra of `folded_attention`, in few operations.

With small maps and few prompts an operation costs more to begin, forwards and backwards, than to do. So all heads go
through one matrix product: what is projected of a token is there once for every head, the other heads' channels zero,
and of what a head's values become the channels of the head are kept. The zeros cost little beside the image. Positions
are added to the image once for both attentions of a layer.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from anymask.model.row_products import times_rows
from anymask.model.two_way_transformer import Attention, TwoWayLayer, TwoWayTransformer


def transform_learning(
    transformer: TwoWayTransformer, token_pe: Tensor, images: Tensor, position: Tensor
) -> tuple[Tensor, Tensor]:
    """`transformer` without dropout: tokens (P, T, C), an image each (P, HW, C), positions (1, HW, C) -> both then."""
    last = transformer.final_attn_token_to_image
    own = _own_channels(last, token_pe)
    tokens = token_pe
    for layer in transformer.layers:
        assert isinstance(layer, TwoWayLayer)
        tokens = layer.attend_to_tokens(tokens, token_pe)
        keys = images + position
        mixed = attend_to_image(layer.cross_attn_token_to_image, tokens + token_pe, (keys, images), own)
        tokens = layer.think(tokens + mixed)
        images = update_image(layer, (tokens, tokens + token_pe), (keys, images), own)
    mixed = attend_to_image(last, tokens + token_pe, (images + position, images), own)
    return transformer.norm_final_attn(tokens + mixed), images


def _own_channels(attention: Attention, like: Tensor) -> Tensor:
    """(heads, 1, inner) 1 at the channels of each head, 0 elsewhere."""
    heads, inner = attention.heads, attention.q_proj.out_features
    return torch.eye(heads, dtype=like.dtype, device=like.device).repeat_interleave(inner // heads, 1)[:, None]


def attend_to_image(attention: Attention, tokens: Tensor, image: tuple[Tensor, Tensor], own: Tensor) -> Tensor:
    """`attention` of tokens (P, T, C) to images (P, HW, C), given with positions and without -> (P, T, C)."""
    keys, values = image
    q = _for_each_head(attention.q_proj(tokens), own * attention.scale)
    # The key bias moves all scores of a token alike and drops out of the softmax.
    weights = times_rows(torch.matmul(q, attention.k_proj.weight), keys).softmax(dim=-1)  # (P, heads * T, HW)
    mixed = F.linear(torch.bmm(weights, values), attention.v_proj.weight, attention.v_proj.bias)
    joined = (mixed.view(len(tokens), len(own), -1, own.shape[-1]) * own).sum(1)  # (P, T, inner)
    out: Tensor = attention.out_proj(joined)
    return out


def update_image(
    layer: TwoWayLayer, tokens: tuple[Tensor, Tensor], image: tuple[Tensor, Tensor], own: Tensor
) -> Tensor:
    """Images (P, HW, C), with positions and without, after they attended to tokens (P, T, C), without and with their
    own, residual and norm included -> (P, HW, C)."""
    attention, (keys, images) = layer.cross_attn_image_to_token, image
    query, out = attention.q_proj, attention.out_proj
    k = _for_each_head(attention.k_proj(tokens[1]), own * attention.scale)
    of_bias = torch.matmul(k, query.bias)[..., None].expand(-1, -1, images.shape[1])
    scores = times_rows(torch.matmul(k, query.weight), keys, of_bias)  # (P, heads * T, HW)
    weights = scores.view(len(scores), len(own), -1, scores.shape[-1]).softmax(dim=2).view_as(scores)
    # The weights of a head add up to 1, so that each head's answers can carry a part of the bias.
    answers = F.linear(_for_each_head(attention.v_proj(tokens[0]), own), out.weight, out.bias / len(own))
    normed: Tensor = layer.norm4(torch.baddbmm(images, weights.transpose(1, 2), answers))
    return normed


def _for_each_head(projected: Tensor, own: Tensor) -> Tensor:
    """(P, T, inner) -> (P, heads * T, inner): one head's channels, then the next's, the others zero."""
    return (projected[:, None] * own).flatten(1, 2)
