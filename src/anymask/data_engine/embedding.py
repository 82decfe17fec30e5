"""Pictures embedded ahead of need: one job each, kept as compressed float16 with the hashes of picture and model."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import torch
from sqlalchemy.orm import Session

from anymask.data_engine.blobs import Blobs
from anymask.data_engine.jobs import HeldJob
from anymask.data_engine.model_shelf import ModelShelf
from anymask.data_engine.semi_automatic import ask_after_embedding
from anymask.data_engine.store import Database
from anymask.data_engine.tables import EmbeddingRow
from anymask.model.sam import Sam
from anymask.predict.embeddings import EmbeddedImage, check_maps, encode_embedding, load_embedding

_LEVEL = 1
"""Half-precision numbers hardly shrink: the lowest effort gives nearly all there is."""


class Embedder:
    """Does jobs of kind `embed` with the model that each names."""

    def __init__(self, database: Database, blobs: Blobs, shelf: ModelShelf) -> None:
        self.database, self.blobs, self.shelf = database, blobs, shelf

    def __call__(self, held: HeldJob) -> None:
        """Embed the picture of `held`, keep the result, and ask for proposals where its project wants them.

        Raises: EmbeddingMismatchError when the job's model is not to be had or the stored picture is not the one it
        names, ImageError, NotThereError, StoreError.
        """
        wanted = held.payload
        embedded = self.shelf.get(wanted["model_sha256"]).embed(self.blobs.read(wanted["pixels_key"]))
        embedded.check_model(wanted["model_sha256"])
        embedded.check_image(wanted["image_sha256"])
        key = self.blobs.put(compress(embedded))

        def keep(session: Session) -> None:
            now = self.database.clock()
            row = EmbeddingRow(
                image_sha256=embedded.image_sha256,
                model_sha256=embedded.model_sha256,
                key=key,
                created_at=now,
            )
            session.merge(row)
            ask_after_embedding(session, embedded.image_sha256, embedded.model_sha256, now)

        self.database.write(keep)


def compress(embedded: EmbeddedImage) -> bytes:
    """The embedding in float16 as a gzipped safetensors file."""
    half = EmbeddedImage(
        frame=embedded.frame,
        embedding=embedded.embedding.to("cpu", torch.float16),
        image_sha256=embedded.image_sha256,
        model_sha256=embedded.model_sha256,
    )
    return gzip.compress(encode_embedding(half), _LEVEL, mtime=0)


def read_embedding(blobs: Blobs, key: str, model: Sam, model_sha256: str) -> EmbeddedImage:
    """What the store has under `key`, ready for `model`, whose hash is `model_sha256`.

    Raises: EmbeddingMismatchError when another model made it, NotThereError.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "embedding.safetensors"
        path.write_bytes(gzip.decompress(blobs.read(key)))
        stored = load_embedding(path)
    stored.check_model(model_sha256)
    check_maps(stored, model)
    return EmbeddedImage(
        frame=stored.frame,
        embedding=stored.embedding.to(model.device, torch.float32),
        image_sha256=stored.image_sha256,
        model_sha256=stored.model_sha256,
    )
