"""Layers that encoders and the decoder share."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def is_exported() -> bool:
    """Whether what is done to tensors becomes a graph now, by export or compilation."""
    return torch.onnx.is_in_onnx_export() or torch.compiler.is_compiling()


def is_recorded() -> bool:
    """Whether what is done to tensors is recorded now: by autograd, export or compilation."""
    return torch.is_grad_enabled() or is_exported()


def prefers_cache_path(x: Tensor) -> bool:
    """Whether x is float32 on a CPU and not recorded: small steps that stay in cache are fastest then."""
    return x.device.type == "cpu" and x.dtype == torch.float32 and not is_recorded()


def computes_plainly(x: Tensor) -> bool:
    """Whether x is float32 on a CPU, stays so, and no graph is made for export."""
    plain = x.device.type == "cpu" and x.dtype == torch.float32
    return plain and not is_exported() and not torch.is_autocast_enabled("cpu")


def is_learned_plainly(x: Tensor) -> bool:
    """`computes_plainly`, recorded by autograd."""
    return torch.is_grad_enabled() and computes_plainly(x)


def pointwise(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`F.linear` of contiguous (N, C) as a 1x1 convolution: oneDNN's kernels beat the BLAS by about 12 % here."""
    rows, channels = x.shape
    # With one thread PyTorch takes oneDNN for 1x1 convolutions only from 16 images on.
    images = 16 if rows % 16 == 0 else 1
    pixels = x.view(images, rows // images, 1, channels).permute(0, 3, 1, 2)  # channels_last
    return F.conv2d(pixels, weight[:, :, None, None], bias).permute(0, 2, 3, 1).reshape(rows, -1)


class LayerNorm2d(nn.Module):
    """(B, C, H, W) normalised over C at each pixel. Source: the public implementation's neck and upscaling."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps
        # A number and not x.shape[1]: the tracing exporter makes the latter a tensor, which layer_norm cannot take.
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        # One fused kernel on a channels-last view; free when x is already channels_last in memory.
        normed = F.layer_norm(x.permute(0, 2, 3, 1), (self.channels,), self.weight, self.bias, self.eps)
        return normed.permute(0, 3, 1, 2)


class Mlp(nn.Module):
    """(..., in) -> (..., out) through `layers` linear layers with ReLU between; names as in the public decoder."""

    def __init__(self, in_dim: int, hidden_dim: int, out_dim: int, layers: int) -> None:
        super().__init__()
        dims = [in_dim, *[hidden_dim] * (layers - 1), out_dim]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(dims))

    def forward(self, x: Tensor) -> Tensor:
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index < len(self.layers) - 1:
                x = F.relu(x)
        return x
