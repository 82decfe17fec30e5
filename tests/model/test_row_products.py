"""Products with rows are those of matrices, and so are their gradients, which are rows."""

from __future__ import annotations

import pytest
import torch

from anymask.model.row_products import times_rows


@pytest.mark.parametrize("adds", [False, True])
def test_product_and_gradients_are_those_of_einsum(adds: bool) -> None:
    torch.manual_seed(0)
    a, rows, plus = torch.randn(2, 3, 5), torch.randn(2, 7, 5), torch.randn(2, 3, 7)
    inputs = (a, rows, plus) if adds else (a, rows)
    for tensor in inputs:
        tensor.requires_grad_()
    weights = torch.randn(2, 3, 7)
    expected = torch.einsum("prc,pnc->prn", a, rows) + (plus if adds else 0)
    made = times_rows(a, rows, plus if adds else None)
    torch.testing.assert_close(made, expected)
    for ours, theirs in zip(
        torch.autograd.grad((made * weights).sum(), inputs),
        torch.autograd.grad((expected * weights).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)
        assert ours.is_contiguous()
    with torch.no_grad():
        torch.testing.assert_close(times_rows(a, rows, plus if adds else None), expected)


def test_autocast_decides_the_precision() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        made = times_rows(torch.ones(1, 2, 3, requires_grad=True), torch.ones(1, 4, 3))
    assert made.dtype == torch.bfloat16
    assert made.tolist() == [[[3.0] * 4] * 2]
