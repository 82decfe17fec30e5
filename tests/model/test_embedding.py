"""Embeddings: all maps move together."""

import torch

from anymask.model.embedding import ImageEmbedding


def test_indexing_keeps_the_batch_axis_of_every_map() -> None:
    embedding = ImageEmbedding(torch.randn(3, 8, 2, 2), (torch.randn(3, 4, 4, 4), torch.randn(3, 2, 8, 8)))
    assert len(embedding) == 3
    one = embedding[1]
    assert len(one) == 1
    for part, whole in zip((one.main, *one.finer), (embedding.main, *embedding.finer), strict=True):
        assert torch.equal(part[0], whole[1])


def test_a_change_reaches_every_map() -> None:
    embedding = ImageEmbedding(torch.ones(1, 8, 2, 2), (torch.ones(1, 4, 4, 4),)).to(dtype=torch.float16)
    assert {embedding.main.dtype, embedding.finer[0].dtype} == {torch.float16}
