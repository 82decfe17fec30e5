"""The two-way transformer, at inference and in training with few tokens: work on the image's side once an image, or
folded onto the tokens.

Exact algebra, no approximation. With X the image (HW rows), P its positions, and head h's slices of the projections:

- scores of token q against keys (X + P) Wk' are X (Wk' q) + P Wk' q: the product with X has tokens x heads rows in
  place of a projected image, and P Wk' is the same for every prompt. The key bias moves all scores of a token alike
  and drops out of the softmax.
- the mixed value A (X Wv' + b) is (A X) Wv' + b, because the weights A of a token add up to 1.
- the image's answer, heads (A_h V_h) projected by Wo, is the sum over heads of A_h (V_h Wo_h').

In the first layer the image is the same for every prompt without a mask, and all its projections are made once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anymask.model.row_products import times_rows
from anymask.model.two_way_transformer import Attention, TwoWayLayer, TwoWayTransformer


@dataclass(frozen=True, slots=True, eq=False)
class LayerSide:
    """The image's side of one layer: of its positions alone, or of a whole image."""

    keys: Tensor
    """(heads, d, HW) keys that tokens attend to."""
    queries: Tensor
    """(heads, d, HW) queries with which the image attends to tokens, bias included."""
    values: Tensor | None = None
    """(heads, HW, d) values for the tokens; None when `keys` are of positions alone."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageSide:
    """What the transformer needs of one image, whatever the prompt."""

    tokens: Tensor
    """(1, HW, C) the image, with the "no mask" embedding added."""
    first: LayerSide
    """The first layer, for prompts without a mask."""
    positions: tuple[LayerSide, ...]
    """Every layer, of positions alone."""
    last_keys: Tensor
    """(heads, d, HW) keys of positions in the last attention."""


def project_image(transformer: TwoWayTransformer, image: Tensor, position: Tensor) -> ImageSide:
    """The image's side of `transformer` for the image and its positions, (1, HW, C) each."""
    positions = []
    for layer in transformer.layers:
        assert isinstance(layer, TwoWayLayer)
        to_image, to_token = layer.cross_attn_token_to_image, layer.cross_attn_image_to_token
        keys = _project(position, to_image.k_proj.weight, to_image.heads)
        queries = _project(position, to_token.q_proj.weight, to_token.heads, to_token.q_proj.bias)
        positions.append(LayerSide(keys, queries))
    layer = transformer.layers[0]
    assert isinstance(layer, TwoWayLayer)
    to_image, to_token = layer.cross_attn_token_to_image, layer.cross_attn_image_to_token
    first = LayerSide(
        positions[0].keys + _project(image, to_image.k_proj.weight, to_image.heads),
        positions[0].queries + _project(image, to_token.q_proj.weight, to_token.heads),
        _project(image, to_image.v_proj.weight, to_image.heads, to_image.v_proj.bias).transpose(1, 2).contiguous(),
    )
    last = transformer.final_attn_token_to_image
    return ImageSide(image, first, tuple(positions), _project(position, last.k_proj.weight, last.heads))


def _project(x: Tensor, weight: Tensor, heads: int, bias: Tensor | None = None) -> Tensor:
    """(1, HW, C) -> (heads, d, HW)."""
    projected = torch.matmul(weight, x[0].t())  # (heads * d, HW)
    if bias is not None:
        projected = projected + bias[:, None]
    return projected.view(heads, -1, projected.shape[1])


def _heads(weight: Tensor, heads: int) -> Tensor:
    """(heads * d, C) projection -> (heads, d, C)."""
    return weight.view(heads, -1, weight.shape[1])


def attend_to_projected(attention: Attention, tokens: Tensor, side: LayerSide) -> Tensor:
    """`attention` of tokens (P, T, C) to the image whose keys and values are in `side` -> (P, T, C)."""
    assert side.values is not None
    q = attention.split(attention.q_proj(tokens)) * attention.scale
    weights = torch.einsum("phtd,hdn->phtn", q, side.keys).softmax(dim=-1)
    mixed = torch.einsum("phtn,hnd->phtd", weights, side.values)
    return _join(attention, mixed)


def attend_to_image(attention: Attention, tokens: Tensor, image: Tensor, position_keys: Tensor) -> Tensor:
    """`attention` of tokens (P, T, C) to their images (P, HW, C) at positions whose keys are given -> (P, T, C)."""
    heads, length = attention.heads, tokens.shape[1]
    q = attention.split(attention.q_proj(tokens)) * attention.scale
    folded = torch.einsum("phtd,hdc->phtc", q, _heads(attention.k_proj.weight, heads)).flatten(1, 2)
    scores = torch.einsum("phtd,hdn->phtn", q, position_keys).flatten(1, 2)  # (P, heads * T, HW)
    weights = times_rows(folded, image, scores).softmax(dim=-1)
    mean = torch.bmm(weights, image).view(-1, heads, length, image.shape[2])
    mixed = torch.einsum("phtc,hdc->phtd", mean, _heads(attention.v_proj.weight, heads))
    assert attention.v_proj.bias is not None
    return _join(attention, mixed + attention.v_proj.bias.view(heads, 1, -1))


def _join(attention: Attention, mixed: Tensor) -> Tensor:
    """(P, heads, T, d) -> (P, T, C)."""
    out: Tensor = attention.out_proj(mixed.transpose(1, 2).flatten(2))
    return out


def update_image(layer: TwoWayLayer, tokens: Tensor, token_pe: Tensor, image: Tensor, side: LayerSide) -> Tensor:
    """The image (P or 1, HW, C) after it attended to tokens (P, T, C), residual and norm included -> (P, HW, C)."""
    attention = layer.cross_attn_image_to_token
    heads = attention.heads
    k = attention.split(attention.k_proj(tokens + token_pe)) * attention.scale
    v = attention.split(attention.v_proj(tokens))
    scores = torch.einsum("phtd,hdn->phtn", k, side.queries)  # (P, heads, T, HW)
    if side.values is None:  # the queries are of positions alone
        folded = torch.einsum("phtd,hdc->phtc", k, _heads(attention.q_proj.weight, heads)).flatten(1, 2)
        scores = times_rows(folded, image, scores.flatten(1, 2)).view_as(scores)
    weights = scores.softmax(dim=2).flatten(1, 2)
    out = attention.out_proj
    answers = torch.einsum("phtd,chd->phtc", v, out.weight.view(out.out_features, heads, -1))
    # The weights of one head add up to 1, so its answers can carry the bias.
    answers = torch.cat((answers[:, :1] + out.bias, answers[:, 1:]), dim=1).flatten(1, 2)
    updated = torch.baddbmm(image.expand(tokens.shape[0], -1, -1), weights.transpose(1, 2), answers)
    normed: Tensor = layer.norm4(updated)
    return normed


def transform(
    transformer: TwoWayTransformer, tokens: Tensor, side: ImageSide, images: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """`transformer` without dropout: tokens (P, T, C) -> tokens (P, T, C) and their images (P, HW, C).

    `images` (P, HW, C) are given when prompts have masks, so that the image is another one for each.
    """
    start = first_tokens(transformer, tokens, side, images)
    return later_tokens(transformer, tokens, start, side, images)


def first_tokens(
    transformer: TwoWayTransformer, token_pe: Tensor, side: ImageSide, images: Tensor | None = None
) -> Tensor:
    """Tokens (P, T, C) after the first layer; nothing as large as an image is made for a prompt without a mask."""
    layer = transformer.layers[0]
    assert isinstance(layer, TwoWayLayer)
    tokens = layer.attend_to_tokens(token_pe, token_pe)
    attention = layer.cross_attn_token_to_image
    if images is None:
        mixed = attend_to_projected(attention, tokens + token_pe, side.first)
    else:
        mixed = attend_to_image(attention, tokens + token_pe, images, side.positions[0].keys)
    return layer.think(tokens + mixed)


def later_tokens(
    transformer: TwoWayTransformer, token_pe: Tensor, tokens: Tensor, side: ImageSide, images: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The rest of the transformer after `first_tokens`."""
    first = transformer.layers[0]
    assert isinstance(first, TwoWayLayer)
    if images is None:
        images = update_image(first, tokens, token_pe, side.tokens, side.first)
    else:
        images = update_image(first, tokens, token_pe, images, side.positions[0])
    for layer, positions in zip(list(transformer.layers)[1:], side.positions[1:], strict=True):
        assert isinstance(layer, TwoWayLayer)
        tokens = layer.attend_to_tokens(tokens, token_pe)
        attention = layer.cross_attn_token_to_image
        tokens = layer.think(tokens + attend_to_image(attention, tokens + token_pe, images, positions.keys))
        images = update_image(layer, tokens, token_pe, images, positions)
    last = transformer.final_attn_token_to_image
    mixed = attend_to_image(last, tokens + token_pe, images, side.last_keys)
    return transformer.norm_final_attn(tokens + mixed), images
