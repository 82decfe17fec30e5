"""The decoder's transformer: prompt tokens and image positions attend to each other in both directions.

Source: paper appendix A ("lightweight mask decoder"); parameter names follow the public implementation.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head attention whose inner width may be a fraction of the outer one."""

    def __init__(self, dim: int, heads: int, downsample: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        inner = dim // downsample
        self.heads = heads
        self.dropout = dropout
        self.q_proj = nn.Linear(dim, inner)
        self.k_proj = nn.Linear(dim, inner)
        self.v_proj = nn.Linear(dim, inner)
        self.out_proj = nn.Linear(inner, dim)

    @property
    def scale(self) -> float:
        """What products of queries and keys are multiplied by."""
        return float((self.q_proj.out_features // self.heads) ** -0.5)

    def split(self, x: Tensor) -> Tensor:
        """(P, T, inner) -> (P, heads, T, inner / heads)."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(P, Tq, C), (P or 1, Tk, C) x 2 -> (P, Tq, C). An axis of length 1 stands for "the same for every prompt"."""
        return self.attend(self.split(self.q_proj(q)), self.split(self.k_proj(k)), self.split(self.v_proj(v)))

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention of already projected heads; see `forward`."""
        prompts = max(q.shape[0], k.shape[0])
        q, k, v = (x.expand(prompts, -1, -1, -1) for x in (q, k, v))
        mixed = F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout if self.training else 0.0)
        out: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return out


class TokenMlp(nn.Module):
    """The token MLP; layer names as in the public implementation."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(dim, hidden)
        self.lin2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.lin2(F.relu(self.lin1(x)))
        return out


class TwoWayLayer(nn.Module):
    """Self-attention of tokens, tokens -> image, token MLP, image -> tokens."""

    def __init__(self, dim: int, heads: int, mlp_dim: int, *, first: bool, dropout: float, norm_eps: float) -> None:
        super().__init__()
        self.first = first
        self.self_attn = Attention(dim, heads, dropout=dropout)
        self.norm1 = nn.LayerNorm(dim, eps=norm_eps)
        self.cross_attn_token_to_image = Attention(dim, heads, downsample=2, dropout=dropout)
        self.norm2 = nn.LayerNorm(dim, eps=norm_eps)
        self.mlp = TokenMlp(dim, mlp_dim)
        self.norm3 = nn.LayerNorm(dim, eps=norm_eps)
        self.cross_attn_image_to_token = Attention(dim, heads, downsample=2, dropout=dropout)
        self.norm4 = nn.LayerNorm(dim, eps=norm_eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, image: Tensor, token_pe: Tensor, image_pe: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (P, T, C) and image (P or 1, HW, C) -> both updated, image now (P, HW, C)."""
        tokens = self.attend_to_tokens(tokens, token_pe)
        keys = image + image_pe
        mixed = self.cross_attn_token_to_image(tokens + token_pe, keys, image)
        tokens = self.think(tokens + self.dropout(mixed))
        image = image + self.dropout(self.cross_attn_image_to_token(keys, tokens + token_pe, tokens))
        return tokens, self.norm4(image)

    def attend_to_tokens(self, tokens: Tensor, token_pe: Tensor) -> Tensor:
        """Self-attention of tokens (P, T, C), residual and norm included."""
        if self.first:  # the public code neither adds positions nor keeps the residual here
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            positioned = tokens + token_pe
            tokens = tokens + self.dropout(self.self_attn(positioned, positioned, tokens))
        normed: Tensor = self.norm1(tokens)
        return normed

    def think(self, tokens: Tensor) -> Tensor:
        """What follows cross-attention: its norm, then the MLP with residual and norm."""
        tokens = self.norm2(tokens)
        normed: Tensor = self.norm3(tokens + self.dropout(self.mlp(tokens)))
        return normed


class TwoWayTransformer(nn.Module):
    """`depth` two-way layers and one last attention from tokens to image."""

    def __init__(
        self, *, dim: int, depth: int, heads: int, mlp_dim: int, dropout: float = 0.0, norm_eps: float = 1e-5
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayLayer(dim, heads, mlp_dim, first=index == 0, dropout=dropout, norm_eps=norm_eps)
            for index in range(depth)
        )
        self.final_attn_token_to_image = Attention(dim, heads, downsample=2, dropout=dropout)
        self.norm_final_attn = nn.LayerNorm(dim)

    def forward(self, tokens: Tensor, image: Tensor, image_pe: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (P, T, C), image (P or 1, HW, C), positions (1, HW, C) -> tokens (P, T, C), image (P, HW, C)."""
        token_pe = tokens
        for layer in self.layers:
            tokens, image = layer(tokens, image, token_pe, image_pe)
        mixed = self.final_attn_token_to_image(tokens + token_pe, image + image_pe, image)
        return self.norm_final_attn(tokens + mixed), image
