import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from anymask.model import vit_attention
from anymask.model.layers import pointwise, prefers_cache_path
from anymask.model.vit_attention import VitAttention, merge_padding, resize_table
from anymask.model.windows import WindowGroup, whole_grid, window_layout

HEADS, DIM = 4, 32


def attention(side: int) -> VitAttention:
    torch.manual_seed(side)
    module = VitAttention(DIM, HEADS, side)
    for parameter in (module.rel_pos_h, module.rel_pos_w, module.qkv.bias):
        torch.nn.init.normal_(parameter)
    return module.requires_grad_(False)


def padded_attention(module: VitAttention, x: Tensor, hw: tuple[int, int], side: int) -> Tensor:
    """The definition, one window: zeros padded to side x side take part as keys, their answers are thrown away."""
    grid = F.pad(x.view(*hw, DIM), (0, 0, 0, side - hw[1], 0, side - hw[0])).view(side * side, DIM)
    q, k, v = module.qkv(grid).view(side * side, 3, HEADS, -1).permute(1, 2, 0, 3)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(1, 2)
    for i in range(side * side):
        for j in range(side * side):
            down, across = i // side - j // side, i % side - j % side
            bias = module.rel_pos_h[down + side - 1] + module.rel_pos_w[across + side - 1]
            scores[:, i, j] += q[:, i] @ bias
    mixed = (scores.softmax(-1) @ v).transpose(0, 1).reshape(side, side, DIM)
    out: Tensor = module.proj(mixed[: hw[0], : hw[1]].reshape(-1, DIM))
    return out


@pytest.mark.parametrize("hw", [(5, 5), (5, 2), (3, 5), (4, 1)])
def test_dropping_padding_tokens_is_exact(hw: tuple[int, int]) -> None:
    module, group = attention(5), WindowGroup(0, 1, hw, (5, 5))
    x = torch.randn(hw[0] * hw[1], DIM)
    expected = padded_attention(module, x, hw, 5)
    torch.testing.assert_close(module(x[None], (group,))[0], expected, atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(module.attend_in_cache(x, group), expected, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("scores", [2**21, 2**12, 64, 1], ids="scores={}".format)
@pytest.mark.parametrize("grid_hw", [(10, 10), (7, 12), (3, 2)])
def test_the_form_that_stays_in_cache_equals_the_differentiable_one_for_any_cache(
    grid_hw: tuple[int, int], scores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vit_attention, "SCORES", scores)
    x = torch.randn(grid_hw[0] * grid_hw[1], DIM)
    for side, groups in ((5, window_layout(grid_hw, 5).groups), (8, whole_grid(grid_hw))):
        module = attention(side)
        parts = [module.attend_in_cache(x[group.start : group.stop].contiguous(), group) for group in groups]
        torch.testing.assert_close(torch.cat(parts), module(x[None], groups)[0], atol=2e-6, rtol=1e-5)


def test_a_batch_equals_its_images_one_by_one() -> None:
    module, groups = attention(5), window_layout((7, 12), 5).groups
    x = torch.randn(3, 84, DIM)
    alone = torch.cat([module(image, groups) for image in x.split(1)])
    torch.testing.assert_close(module(x, groups), alone, atol=2e-6, rtol=1e-5)


def test_gradients_reach_every_parameter_through_padded_windows() -> None:
    module = attention(5).requires_grad_(True)
    module(torch.randn(1, 6, DIM), (WindowGroup(0, 1, (3, 2), (5, 5)),)).square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("rows", [1, 16, 50, 64])
def test_pointwise_convolution_is_a_linear_layer(rows: int) -> None:
    x, weight, bias = torch.randn(rows, 24), torch.randn(40, 24), torch.randn(40)
    torch.testing.assert_close(pointwise(x, weight, bias), F.linear(x, weight, bias), atol=1e-5, rtol=1e-5)


def test_position_tables_keep_their_ends_in_place_when_resized() -> None:
    table = torch.linspace(0, 1, 9)[:, None].repeat(1, 3)  # side 5
    assert resize_table(table, 5) is table
    grown = resize_table(table, 9)
    assert grown.shape == (17, 3)
    assert bool((grown.diff(dim=0) >= 0).all())
    torch.testing.assert_close(grown[8], table[4])
    torch.testing.assert_close(grown[[0, -1]], table[[0, -1]])


def test_all_padding_keys_become_one_with_the_log_of_their_sum() -> None:
    bias = torch.randn(3, 4, 5)
    merged = merge_padding(bias, (2, 3))
    torch.testing.assert_close(merged[:, :6], bias[:, :2, :3].flatten(1))
    everything, real = bias.exp().sum((1, 2)), bias[:, :2, :3].exp().sum((1, 2))
    torch.testing.assert_close(merged[:, 6].exp(), everything - real)


def test_the_cache_form_is_left_to_float32_without_gradients() -> None:
    x = torch.zeros(1)
    assert not prefers_cache_path(x)
    with torch.no_grad():
        assert prefers_cache_path(x)
        assert not prefers_cache_path(x.bfloat16())
        assert not prefers_cache_path(x.to("meta"))


def test_without_groups_tokens_attend_as_in_one_window_whose_tables_are_zero() -> None:
    module, x = attention(4), torch.randn(2, 12, DIM)
    plain = module(x, None)
    assert not torch.allclose(plain, module(x, whole_grid((3, 4))), atol=1e-3)
    module.rel_pos_h.zero_()
    module.rel_pos_w.zero_()
    torch.testing.assert_close(plain, module(x, whole_grid((3, 4))), atol=1e-5, rtol=1e-4)
