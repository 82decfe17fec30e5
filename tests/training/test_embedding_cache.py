"""Embeddings kept on disk."""

from pathlib import Path

import torch

from anymask.model.embedding import ImageEmbedding
from anymask.training.embedding_cache import EmbeddingCache

CPU = torch.device("cpu")


def embedding(value: float) -> ImageEmbedding:
    return ImageEmbedding(torch.full((1, 8, 4, 4), value), (torch.full((1, 4, 8, 8), value), torch.ones(1, 2, 16, 16)))


def refuse() -> ImageEmbedding:
    raise AssertionError("a view that is kept must not be embedded again")


def test_a_view_met_again_is_read_with_all_its_maps(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, 2**20)
    cache.get(b"one", CPU, lambda: embedding(1.0))
    cache.get(b"two", CPU, lambda: embedding(2.0))
    found = EmbeddingCache(tmp_path, 2**20).get(b"two", CPU, refuse)
    assert torch.equal(found.main, embedding(2.0).main)
    assert [tuple(finer.shape) for finer in found.finer] == [(1, 4, 8, 8), (1, 2, 16, 16)]
    assert float(found.finer[0].mean()) == 2.0


def test_nothing_is_kept_beyond_the_limit(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, 1)
    cache.get(b"one", CPU, lambda: embedding(1.0))
    cache.get(b"two", CPU, lambda: embedding(2.0))
    assert len(list(tmp_path.iterdir())) == 1
    again = EmbeddingCache(tmp_path, 1)
    again.get(b"three", CPU, lambda: embedding(3.0))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_file_counts_as_not_there(tmp_path: Path) -> None:
    EmbeddingCache(tmp_path, 2**20).get(b"one", CPU, lambda: embedding(1.0))
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    cache = EmbeddingCache(tmp_path, 2**20)
    assert torch.equal(cache.get(b"one", CPU, lambda: embedding(1.0)).main, embedding(1.0).main)
    assert torch.equal(cache.get(b"one", CPU, refuse).main, embedding(1.0).main)
