"""Attention of the image encoder: windowed or global, with decomposed relative positions.

Two forms of one formula. `VitAttention.forward` is differentiable and runs on any device by fused attention with an
additive bias. `VitAttention.attend_in_cache` is CPU inference: scores exist a few rows at a time, so that they stay in
cache. Both leave out the padding tokens of the public code exactly: a zero token's key and value are the key and value
biases, all padding keys of a window are therefore equal, and one key whose bias is the log of the sum of their
exponentiated biases stands for them all.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anymask.model.layers import pointwise
from anymask.model.windows import WindowGroup

SCORES = 2**21
"""Attention scores held at a time in CPU inference (8 MB of float32)."""


def resize_table(table: Tensor, side: int) -> Tensor:
    """The (2 * side - 1, d) relative position table for `side` positions, linearly interpolated where it must be."""
    length = 2 * side - 1
    if table.shape[0] == length:
        return table
    resized = F.interpolate(table.float().t()[None], size=length, mode="linear", align_corners=False)
    return resized[0].t().to(table.dtype)


def _relative(table: Tensor, queries: int, keys: int) -> Tensor:
    """(queries, keys, d): row [i, k] is the table's entry for the distance i - k."""
    distance = torch.arange(queries)[:, None] - torch.arange(keys)[None, :] + keys - 1
    return resize_table(table, keys)[distance.to(table.device)]


class VitAttention(nn.Module):
    """Multi-head self-attention inside windows; `side` is the window side the relative tables are stored for."""

    def __init__(self, dim: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side - 1, dim // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side - 1, dim // heads))

    def forward(self, x: Tensor, groups: tuple[WindowGroup, ...] | None) -> Tensor:
        """(B, N, C) in the order of `groups` -> (B, N, C); each token attends inside its window.

        Without groups each attends to all, wherever they are in the image: relative positions take no part.
        """
        qkv = self.qkv(x)
        if groups is None:
            q, k, v = qkv.reshape(*x.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # (B, heads, N, d) each
            mixed: Tensor = self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
            return mixed
        parts = [self._attend(qkv[:, group.start : group.stop], group) for group in groups]
        out: Tensor = self.proj(parts[0] if len(parts) == 1 else torch.cat(parts, dim=1))
        return out

    def _attend(self, qkv: Tensor, group: WindowGroup) -> Tensor:
        """(B, count * length, 3 C) -> (B, count * length, C) for one group."""
        batch = qkv.shape[0]
        windows = qkv.reshape(batch * group.count, group.length, 3, self.heads, -1)
        q, k, v = windows.permute(2, 0, 3, 1, 4)  # (windows, heads, length, d) each
        bias = self._bias(q, group)
        if group.is_padded:
            pad_k, pad_v = self._padding()
            k, v = (torch.cat((x, pad.expand(x.shape[0], -1, -1, -1)), dim=2) for x, pad in ((k, pad_k), (v, pad_v)))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return mixed.transpose(1, 2).reshape(batch, group.count * group.length, -1)

    def _padding(self) -> tuple[Tensor, Tensor]:
        """Key and value of a padding token, (heads, 1, d) each: the projection of a zero vector."""
        _, k, v = self.qkv.bias.view(3, self.heads, 1, -1)
        return k, v

    def _bias(self, q: Tensor, group: WindowGroup) -> Tensor:
        """(windows, heads, length, keys) added to the scores; q (windows, heads, length, d) unscaled."""
        (height, width), (span_h, span_w) = group.hw, group.span_hw
        grid = q.reshape(*q.shape[:2], height, width, -1)
        rows = torch.einsum("bnhwc,hkc->bnhwk", grid, _relative(self.rel_pos_h, height, span_h))
        columns = torch.einsum("bnhwc,wkc->bnhwk", grid, _relative(self.rel_pos_w, width, span_w))
        return merge_padding(rows[..., :, None] + columns[..., None, :], group.hw).flatten(2, 3)

    def attend_in_cache(self, x: Tensor, group: WindowGroup) -> Tensor:
        """`forward` for one group of one image on a CPU, without gradients: (count * length, C) -> the same shape."""
        dim = x.shape[1]
        weight, bias = self.qkv.weight, self.qkv.bias
        q, k, v = (pointwise(x, weight[i : i + dim], bias[i : i + dim]) for i in range(0, 3 * dim, dim))
        tables = self._flipped_tables(group)
        for start in range(0, len(x), group.length):
            window = slice(start, start + group.length)
            self._attend_window(q[window], k[window], v[window], tables, group)
        return pointwise(q, self.proj.weight, self.proj.bias)

    def _flipped_tables(self, group: WindowGroup) -> Tensor:
        """(d, (2 H - 1) + (2 W - 1)) both tables, last entry first, for one product with all queries."""
        span_h, span_w = group.span_hw
        both = (resize_table(self.rel_pos_h, span_h).flip(0), resize_table(self.rel_pos_w, span_w).flip(0))
        return torch.cat(both).t()

    def _attend_window(self, q: Tensor, k: Tensor, v: Tensor, tables: Tensor, group: WindowGroup) -> None:
        """Attention of one window, (length, C) each; the answer overwrites q."""
        length, dim = q.shape
        d = dim // self.heads
        width = group.hw[1]
        together = max(1, min(self.heads, SCORES // (length * length)))  # heads at a time
        rows = max(1, min(group.hw[0], SCORES // (together * length * width)))  # rows of tokens at a time
        for first in range(0, dim, together * d):
            heads = slice(first, first + together * d)
            qh, kh, vh = (part[:, heads].view(length, -1, d).transpose(0, 1).contiguous() for part in (q, k, v))
            if group.is_padded:
                pad_k, pad_v = (pad[first // d :][: len(qh)] for pad in self._padding())
                kh, vh = torch.cat((kh, pad_k), dim=1), torch.cat((vh, pad_v), dim=1)
            shifted = torch.matmul(qh, tables)  # (heads, length, table entries)
            for top in range(0, group.hw[0], rows):
                tokens = slice(top * width, min((top + rows) * width, length))
                scores = skewed_bias(shifted, group, (top, min(top + rows, group.hw[0])))
                torch.baddbmm(scores, qh[:, tokens], kh.transpose(1, 2), alpha=d**-0.5, out=scores)
                torch.softmax(scores, dim=-1, out=scores)
                q[tokens, heads] = torch.bmm(scores, vh).transpose(0, 1).flatten(1)


def skewed_bias(shifted: Tensor, group: WindowGroup, rows: tuple[int, int]) -> Tensor:
    """(heads, tokens, keys) bias of the token rows `rows`, from `shifted` (heads, length, both flipped tables).

    Entry [i, k] of the relative bias is entry k - i + side - 1 of the flipped table's product with query i: a view of
    `shifted` whose stride along i is one less, nothing has to be gathered.
    """
    width, (span_h, span_w) = group.hw[1], group.span_hw
    per_head, per_token, _ = shifted.stride()
    size = (shifted.shape[0], rows[1] - rows[0], width)
    start = shifted.storage_offset() + rows[0] * (width * per_token - 1)
    down = shifted.as_strided((*size, span_h), (per_head, width * per_token - 1, per_token, 1), start + span_h - 1)
    start = shifted.storage_offset() + rows[0] * width * per_token + 2 * span_h - 1
    across = shifted.as_strided((*size, span_w), (per_head, width * per_token, per_token - 1, 1), start + span_w - 1)
    return merge_padding(down[..., :, None] + across[..., None, :], group.hw).flatten(1, 2)


def merge_padding(bias: Tensor, hw: tuple[int, int]) -> Tensor:
    """(..., H, W) biases of all keys of a window -> (..., h * w) of the real ones, plus one for all padding keys."""
    height, width = hw
    if bias.shape[-2:] == hw:
        return bias.flatten(-2)
    padding = torch.cat((bias[..., height:, :].flatten(-2), bias[..., :height, width:].flatten(-2)), dim=-1)
    return torch.cat((bias[..., :height, :width].flatten(-2), padding.logsumexp(-1, keepdim=True)), dim=-1)
