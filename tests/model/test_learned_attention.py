"""Attention in few operations answers and learns as the two-way transformer does."""

from __future__ import annotations

import pytest
import torch

from anymask.model.learned_attention import transform_learning
from anymask.model.two_way_transformer import TwoWayTransformer

DIM, CELLS = 32, 60


def transformer(depth: int, heads: int) -> TwoWayTransformer:
    torch.manual_seed(depth + heads)
    model = TwoWayTransformer(dim=DIM, depth=depth, heads=heads, mlp_dim=64)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape)
    return model


@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 2e-3), (torch.float64, 1e-10)])
@pytest.mark.parametrize(("depth", "heads"), [(1, 4), (2, 2), (3, 8)])
@pytest.mark.parametrize(("prompts", "tokens"), [(1, 7), (3, 6)])
def test_answers_and_gradients_are_those_of_the_plain_transformer(
    depth: int, heads: int, prompts: int, tokens: int, dtype: torch.dtype, close: float
) -> None:
    model = transformer(depth, heads).to(dtype)
    queries = torch.randn(prompts, tokens, DIM, dtype=dtype, requires_grad=True)
    images = torch.randn(prompts, CELLS, DIM, dtype=dtype, requires_grad=True)
    position = torch.randn(1, CELLS, DIM, dtype=dtype)
    found = []
    for run in (model, lambda *inputs: transform_learning(model, *inputs)):
        model.zero_grad()
        after = run(queries, images, position)
        inputs = torch.autograd.grad(sum(part.sin().sum() for part in after), [queries, images], retain_graph=True)
        torch.autograd.backward(sum(part.sin().sum() for part in after), inputs=list(model.parameters()))
        weights = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
        found.append(((*after, *inputs), weights))
    (plain, plain_weights), (folded, folded_weights) = found
    for one, other in zip(folded, plain, strict=True):
        torch.testing.assert_close(one, other, atol=close, rtol=close)
    for name, gradient in plain_weights.items():
        # The bias of keys to the image moves all scores of a token alike: folded away, it has no gradient.
        ours = folded_weights.get(name, torch.zeros_like(gradient))
        torch.testing.assert_close(ours, gradient, atol=10 * close, rtol=10 * close, msg=name)
