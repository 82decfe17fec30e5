"""Convolutions whose CPU kernels are not PyTorch's first choice: the same numbers to rounding, sooner.

Both are `nn.Conv2d` by name, weights and arithmetic. Off the CPU, in another precision than float32 and in graphs that
are exported or compiled they are nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from anymask.model.layers import computes_plainly

_WIDE = 3
"""Widest kernel for which oneDNN has a vector kernel of a depthwise convolution's weight gradient."""
_IMAGES = 16
"""As how many images a picture's pixels go through a 1x1 convolution: from so many on PyTorch takes oneDNN with a
single thread, too."""


class PointwiseConv(nn.Conv2d):
    """A 1x1 convolution, and ReLU6 if `act`."""

    def __init__(self, inp: int, out: int, *, act: bool = False) -> None:
        super().__init__(inp, out, 1)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        if not computes_plainly(x):
            return F.relu6(super().forward(x)) if self.act else super().forward(x)
        batch, channels, height, width = x.shape
        divides = torch.get_num_threads() == 1 and batch > 0 and batch * height * width % _IMAGES == 0
        if divides:  # a view of channels_last
            x = x.permute(0, 2, 3, 1).reshape(_IMAGES, -1, 1, channels).permute(0, 3, 1, 2)
        out = super().forward(x)
        if self.act:
            out = F.relu6(out, inplace=True)
        return out.permute(0, 2, 3, 1).reshape(batch, height, width, -1).permute(0, 3, 1, 2) if divides else out


class DepthwiseConv(nn.Conv2d):
    """A depthwise convolution with more padding on the right and bottom at stride 2, and ReLU6 if `act`."""

    def __init__(self, channels: int, kernel: int, *, stride: int = 1, act: bool = False) -> None:
        assert kernel <= 2 * _WIDE
        self.before = (kernel - stride) // 2
        self.after = kernel - stride - self.before
        same = self.before if self.before == self.after else 0
        super().__init__(channels, channels, kernel, stride, same, groups=channels)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        if not computes_plainly(x):
            out = super().forward(F.pad(x, (self.before, self.after) * 2) if self.after > self.before else x)
            return F.relu6(out) if self.act else out
        shape = self.stride[0], self.before, self.after
        out = _depthwise(x, self.weight, self.bias, *shape)
        return F.relu6(out, inplace=True) if self.act else out


class _Depthwise(torch.autograd.Function):
    """A depthwise convolution of (B, C, H, W) with a weight (C, 1, k, k).

    A kernel with a row and a column of zeros before its first pads by as much on either side: no padded image is made
    but for the weight gradient. oneDNN has no vector kernel for that of wide kernels (5x5 takes ten times as long as
    3x3). But a tap's gradient is the sum of image times gradient at that tap's shift, whatever the other taps, so those
    of the left three columns and of the right three are made one after the other.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, before: int, after: int
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.pads = stride, (before, after)
        return F.conv2d(x, _even(weight, before, after), bias, stride, after, groups=len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        back = taps = None
        if ctx.needs_input_grad[0]:
            back, _ = _gradients(grad, x, _even(weight, *ctx.pads), (ctx.stride, ctx.pads[1]), (True, False))
        if ctx.needs_input_grad[1]:
            taps = _weight_gradient(F.pad(x, ctx.pads * 2), weight, grad, ctx.stride)
        return back, taps, grad.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None, None, None, None


_depthwise: Callable[..., Tensor] = _Depthwise.apply


def _even(weight: Tensor, before: int, after: int) -> Tensor:
    """The kernel that has the same effect when `after` is padded on all sides."""
    return F.pad(weight, (after - before, 0) * 2) if after > before else weight


def _weight_gradient(padded: Tensor, weight: Tensor, grad: Tensor, stride: int) -> Tensor:
    """The gradient (C, 1, k, k) of `weight` from the padded image and the output's gradient."""
    width = weight.shape[-1]
    covers = (grad.shape[-1] - 1) * stride + _WIDE  # columns of the image that three taps see
    parts = []
    for left in (0, width - _WIDE) if width > _WIDE else (0,):
        view, some = padded[..., left : left + covers], weight[..., left : left + _WIDE]
        parts.append(_gradients(grad, view, some, (stride, 0), (False, True))[1])
    return torch.cat((parts[0], parts[1][..., 2 * _WIDE - width :]), dim=-1) if width > _WIDE else parts[0]


def _gradients(
    grad: Tensor, x: Tensor, weight: Tensor, stride_pad: tuple[int, int], asked: tuple[bool, bool]
) -> tuple[Tensor, Tensor]:
    """Those of a depthwise convolution's image and weight; one that is not asked for means nothing."""
    (stride, pad), groups = stride_pad, len(weight)
    back, taps, _ = torch.ops.aten.convolution_backward(
        grad, x, weight, None, [stride] * 2, [pad] * 2, [1, 1], False, [0, 0], groups, [*asked, False]
    )
    return back, taps
