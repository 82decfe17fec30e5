"""Convolutions give what PyTorch's own give, forwards and backwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anymask.model import convolutions
from anymask.model.convolutions import DepthwiseConv, PointwiseConv


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def slow_depthwise(conv: DepthwiseConv, x: Tensor) -> Tensor:
    """As TensorFlow pads, one channel after the other."""
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    before = (kernel - stride) // 2
    after = kernel - stride - before
    assert conv.bias is not None
    each = [
        F.conv2d(F.pad(x[:, c : c + 1], (before, after) * 2), conv.weight[c : c + 1], conv.bias[c : c + 1], stride)
        for c in range(x.shape[1])
    ]
    return torch.cat(each, dim=1)


def slow_pointwise(conv: PointwiseConv, x: Tensor) -> Tensor:
    assert conv.bias is not None
    return torch.einsum("oi,bihw->bohw", conv.weight[:, :, 0, 0], x) + conv.bias[:, None, None]


def gradients(made: Tensor, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Those of a loss that weighs every output differently."""
    weights = torch.linspace(-1, 1, made.numel()).view(made.shape)
    return torch.autograd.grad((made * weights).sum(), inputs)


def compare(conv: nn.Conv2d, slow: Callable[[Tensor], Tensor], x: Tensor) -> None:
    assert conv.bias is not None
    x = x.requires_grad_()
    fast, expected = conv(x), slow(x)
    torch.testing.assert_close(fast, expected, rtol=1e-4, atol=1e-5)
    wanted = (x, conv.weight, conv.bias)
    for ours, theirs in zip(gradients(fast, wanted), gradients(expected, wanted), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        torch.testing.assert_close(conv(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("act", [False, True])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_depthwise_convolution_and_its_gradients_are_those_of_each_channel_alone(
    kernel: int, stride: int, batch: int, act: bool
) -> None:
    conv = DepthwiseConv(6, kernel, stride=stride, act=act)
    x = torch.randn(batch, 6, 12, 16).contiguous(memory_format=torch.channels_last)
    compare(conv, lambda x: F.relu6(slow_depthwise(conv, x)) if act else slow_depthwise(conv, x), x)


@pytest.mark.parametrize("act", [False, True])
@pytest.mark.parametrize("shape", [(2, 8, 4, 6), (1, 8, 3, 5)])  # 48 pixels, and 15: not a multiple of 16
def test_pointwise_convolution_and_its_gradients_are_those_of_a_matrix_product(
    shape: tuple[int, ...], act: bool
) -> None:
    conv = PointwiseConv(8, 5, act=act)
    compare(conv, lambda x: F.relu6(slow_pointwise(conv, x)) if act else slow_pointwise(conv, x), torch.randn(shape))


def test_gradients_of_one_picture_keep_channels_last() -> None:
    x = torch.randn(1, 6, 8, 8).contiguous(memory_format=torch.channels_last).requires_grad_()
    seen = list[torch.Tensor]()
    before = x * 1  # what a leaf keeps is laid out like the leaf
    before.register_hook(seen.append)
    DepthwiseConv(6, 5)(before).sum().backward()
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("conv", [DepthwiseConv(4, 5), PointwiseConv(4, 4)])
def test_a_weight_that_does_not_learn_gets_no_gradient_but_its_image_does(conv: nn.Conv2d) -> None:
    conv.requires_grad_(False)
    x = torch.randn(1, 4, 8, 8, requires_grad=True)
    conv(x).sum().backward()
    assert x.grad is not None
    assert conv.weight.grad is None


@pytest.mark.parametrize("kind", ["depthwise", "pointwise"])
def test_another_precision_takes_pytorchs_own_way(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    conv = DepthwiseConv(4, 5, stride=2, act=True) if kind == "depthwise" else PointwiseConv(4, 4, act=True)
    x = torch.randn(2, 4, 8, 8)
    expected = conv(x)
    monkeypatch.setattr(convolutions, "_depthwise", None)
    monkeypatch.setattr(torch, "get_num_threads", None)
    torch.testing.assert_close(conv.double()(x.double()).float(), expected, rtol=1e-4, atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        assert conv.float()(x).dtype == torch.bfloat16
    with pytest.raises(TypeError, match="NoneType"):
        conv(x)


def test_no_pictures_and_one_without_a_batch_axis_are_as_for_a_convolution() -> None:
    conv = PointwiseConv(4, 3)
    assert conv(torch.zeros(0, 4, 4, 4)).shape == (0, 3, 4, 4)
    image = torch.randn(4, 4, 4)
    torch.testing.assert_close(conv.double()(image.double()).float(), conv.float()(image[None])[0])


def test_two_threads_give_what_one_gives() -> None:
    conv, x = PointwiseConv(8, 5, act=True), torch.randn(2, 8, 4, 6)
    alone = conv(x)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        torch.testing.assert_close(conv(x), alone)
    finally:
        torch.set_num_threads(threads)
