"""The model that a server works with: known by its hash, with its decoder as the browser runs it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anymask.data_engine.blobs import Blobs
from anymask.data_engine.pictures import ask_all_embeddings
from anymask.data_engine.store import Database
from anymask.data_engine.tables import ModelRow
from anymask.model.sam import Sam
from anymask.model.weights import model_hash
from anymask.predict.agreement import embedding_like
from anymask.predict.export import ExportConfig, export_onnx
from anymask.runs import write_atomically


@dataclass(frozen=True, kw_only=True, slots=True)
class DeployedModel:
    """What the wire says of the model."""

    sha256: str
    name: str
    facts: dict[str, Any]
    """input_size, mask_size, mask_threshold, candidates, maps."""
    decoder_key: str
    decoder_bytes: int


def deploy(database: Database, blobs: Blobs, model: Sam, name: str, cache: Path) -> DeployedModel:
    """Make `model` the one to embed with: its decoder kept, a job made for every picture it has not embedded.

    Writing the decoder takes half a minute; it is kept in `cache` too, so that it is done once a machine and model.

    Raises: StoreError, ExportError, MissingDependencyError without the onnx extra.
    """
    sha256 = model_hash(model)
    row = database.read(lambda session: session.get(ModelRow, sha256))
    if row is None or not blobs.has(row.decoder_key):
        decoder_key = blobs.put(_decoder(model, cache / f"decoder-{sha256}.onnx"))
        row = ModelRow(sha256=sha256, name=name, facts=_facts(model), decoder_key=decoder_key)
        kept = row
        database.write(lambda session: session.merge(kept))
    database.write(lambda session: ask_all_embeddings(session, sha256, database.clock()))
    return DeployedModel(
        sha256=sha256,
        name=row.name,
        facts=row.facts,
        decoder_key=row.decoder_key,
        decoder_bytes=blobs.size(row.decoder_key),
    )


def _decoder(model: Sam, cached: Path) -> bytes:
    if cached.is_file():
        return cached.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "browser.onnx"
        export_onnx(model, path, ExportConfig(part="browser"))
        data = path.read_bytes()
    cached.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(cached, data)
    return data


def _facts(model: Sam) -> dict[str, Any]:
    like = embedding_like(model)
    finer = [
        {"tensor": f"finer.{index}", "input": f"finer_{index}", "shape": list(tensor.shape)}
        for index, tensor in enumerate(like.finer)
    ]
    return {
        "input_size": model.input_size,
        "mask_size": model.mask_size,
        "mask_threshold": model.mask_threshold,
        "candidates": model.config.mask_decoder.multimask_outputs,
        "maps": [{"tensor": "main", "input": "image_embeddings", "shape": list(like.main.shape)}, *finer],
    }
