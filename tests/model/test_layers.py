"""Shared layers against their definitions."""

import torch

from anymask.model.layers import LayerNorm2d, Mlp


def test_layer_norm_2d_normalises_over_channels_at_each_pixel() -> None:
    layer, x = LayerNorm2d(5), torch.randn(2, 5, 3, 4)
    with torch.no_grad():
        layer.weight.copy_(torch.rand(5))
        layer.bias.copy_(torch.rand(5))
    mean, spread = x.mean(1, keepdim=True), x.var(1, unbiased=False, keepdim=True)
    expected = (x - mean) / torch.sqrt(spread + 1e-6) * layer.weight[:, None, None] + layer.bias[:, None, None]
    torch.testing.assert_close(layer(x), expected)


def test_an_mlp_has_relu_between_and_none_after() -> None:
    mlp, x = Mlp(4, 6, 3, 2), torch.randn(7, 4)
    first, second = mlp.layers
    torch.testing.assert_close(mlp(x), second(torch.relu(first(x))))
