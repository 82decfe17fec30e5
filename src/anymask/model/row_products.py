"""Products with the rows of a map, whose gradient is rows again.

Autograd would lay the gradient of a transposed operand out transposed. What the gradient then meets has channels last,
and on a CPU a pointwise operation on two layouts takes some ten times as long as on one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from anymask.model.layers import is_learned_plainly


def times_rows(a: Tensor, rows: Tensor, plus: Tensor | None = None) -> Tensor:
    """(P, R, C) times the transpose of (P, N, C), and `plus` (P, R, N) if given -> (P, R, N)."""
    if is_learned_plainly(a):
        return _times_rows(a, rows, plus)
    if plus is None:
        return torch.bmm(a, rows.transpose(1, 2))
    return torch.baddbmm(plus, a, rows.transpose(1, 2))


class _TimesRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, rows: Tensor, plus: Tensor | None) -> Tensor:
        ctx.save_for_backward(a, rows)
        across = rows.transpose(1, 2)
        return torch.bmm(a, across) if plus is None else torch.baddbmm(plus, a, across)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        a, rows = ctx.saved_tensors
        needs_a, needs_rows, needs_plus = ctx.needs_input_grad
        return (
            torch.bmm(grad, rows) if needs_a else None,
            torch.bmm(grad.transpose(1, 2), a) if needs_rows else None,
            grad if needs_plus else None,
        )


_times_rows: Callable[..., Tensor] = _TimesRows.apply
