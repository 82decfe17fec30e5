"""Embeddings of views met before, on disk: an encoder that does not learn sees each view once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from anymask.model.embedding import ImageEmbedding
from anymask.runs import write_atomically


class EmbeddingCache:
    """Files of one model's embeddings, each named by the digest of its view, up to `limit_bytes` in all.

    Nothing is dropped once it is kept: every view is as likely to come again as any other. A damaged file counts as
    not there. Several processes may share the folder.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.limit_bytes = folder, limit_bytes
        self._used = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        self.hits = 0

    def get(self, view: bytes, device: torch.device, make: Callable[[], ImageEmbedding]) -> ImageEmbedding:
        """The embedding of `view` (its pixels and size as bytes), on `device`: read, or made and kept."""
        path = self.folder / f"{hashlib.blake2b(view, digest_size=16).hexdigest()}.safetensors"
        try:
            maps = load_file(path, device=str(device))
            self.hits += 1
            return ImageEmbedding(maps["main"], tuple(maps[f"finer_{index}"] for index in range(len(maps) - 1)))
        except (OSError, SafetensorError, KeyError):
            embedding = make()
        if self._used < self.limit_bytes:
            maps = {"main": embedding.main, **{f"finer_{i}": finer for i, finer in enumerate(embedding.finer)}}
            data = save({name: tensor.contiguous().cpu() for name, tensor in maps.items()})
            write_atomically(path, data)
            self._used += len(data)
        return embedding
