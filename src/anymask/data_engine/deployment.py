"""The model that servers work with: known by its hash, with its decoder as the browser runs it.

Which one is current is said by the newest row of `deployments`, so all processes on one database agree, and a change
needs no restart: servers and workers look the hash up and take the model from the store.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from anymask.data_engine.blobs import Blobs
from anymask.data_engine.pictures import ask_all_embeddings
from anymask.data_engine.store import Database
from anymask.data_engine.tables import DeploymentRow, JobRow, ModelRow
from anymask.errors import NotThereError, TakenError
from anymask.model.sam import Sam
from anymask.model.weights import model_hash, save
from anymask.predict.agreement import embedding_like
from anymask.predict.export import ExportConfig, export_onnx
from anymask.runs import write_atomically

START, PROMOTE, ROLLBACK = "start", "promote", "rollback"
"""Why a model became current: a server was started with it, a turn of the engine, or a person who went back to it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeployedModel:
    """What the wire says of a model."""

    sha256: str
    name: str
    facts: dict[str, Any]
    """input_size, mask_size, mask_threshold, candidates, maps."""
    decoder_key: str
    decoder_bytes: int


def deploy(database: Database, blobs: Blobs, model: Sam, name: str, cache: Path) -> DeployedModel:
    """The current model, when a server starts with `model`: that one, unless a turn or a person chose another since.

    Raises: StoreError, ExportError, MissingDependencyError without the onnx extra.
    """
    kept = keep_model(database, blobs, model, name, cache)

    def begin(session: Session) -> str:
        now = current_to_change(session)
        if now is not None and now.kind != START:
            return now.model_sha256
        if now is None or now.model_sha256 != kept.sha256:
            make_current(session, database, kept.sha256, START, note=f"a server was started with {name}")
        ask_all_embeddings(session, kept.sha256, database.clock())
        return kept.sha256

    sha256 = database.write(begin)
    return kept if sha256 == kept.sha256 else describe(database, blobs, sha256)


def keep_model(
    database: Database, blobs: Blobs, model: Sam, name: str, cache: Path, *, with_weights: bool = False
) -> DeployedModel:
    """What servers need of `model` is in the store, `with_weights` these too; nothing is made current.

    Writing the decoder takes half a minute; it is kept in `cache` too, so that it is done once a machine and model.

    Raises: StoreError, ExportError, MissingDependencyError without the onnx extra.
    """
    sha256 = model_hash(model)
    row = database.read(lambda session: session.get(ModelRow, sha256))
    weights_key = None if row is None else row.weights_key
    if with_weights and (weights_key is None or not blobs.has(weights_key)):
        weights_key = blobs.put(_weights(model))
    if row is None or not blobs.has(row.decoder_key) or row.weights_key != weights_key:
        has_decoder = row is not None and blobs.has(row.decoder_key)
        decoder_key = row.decoder_key if row is not None and has_decoder else blobs.put(_decoder(model, sha256, cache))
        facts = _facts(model)
        made = ModelRow(
            sha256=sha256,
            name=name if row is None else row.name,
            facts=facts,
            decoder_key=decoder_key,
            weights_key=weights_key,
        )
        database.write(lambda session: session.merge(made))
    return describe(database, blobs, sha256)


def describe(database: Database, blobs: Blobs, sha256: str) -> DeployedModel:
    """A model that this store knows.

    Raises: NotThereError.
    """
    row = database.read(lambda session: session.get(ModelRow, sha256))
    if row is None:
        raise NotThereError(f"there is no model {sha256[:12]}... here; get /api/v1/info for the current one")
    return DeployedModel(
        sha256=sha256,
        name=row.name,
        facts=row.facts,
        decoder_key=row.decoder_key,
        decoder_bytes=blobs.size(row.decoder_key),
    )


def current(session: Session) -> DeploymentRow | None:
    """The deployment that counts now; None before the first server started."""
    return session.scalar(select(DeploymentRow).order_by(DeploymentRow.id.desc()).limit(1))


def current_to_change(session: Session) -> DeploymentRow | None:
    """The same, and nobody else changes which one it is until this transaction ends."""
    if session.get_bind().dialect.name == "postgresql":
        # Two transactions would each find the model before current, and both write. SQLite has one writer at a time.
        session.execute(text("LOCK TABLE deployments IN SHARE ROW EXCLUSIVE MODE"))
    return current(session)


def list_deployments(session: Session) -> list[DeploymentRow]:
    """All of them, the first one first."""
    return list(session.scalars(select(DeploymentRow).order_by(DeploymentRow.id)))


def previous_model(session: Session, sha256: str) -> str | None:
    """The model that was current before `sha256` last became it; None when there was none."""
    seen = False
    for row in reversed(list_deployments(session)):
        if seen and row.model_sha256 != sha256:
            return row.model_sha256
        seen = seen or row.model_sha256 == sha256
    return None


def promote(database: Database, sha256: str, *, key: str, note: str, instead_of: str | None = None) -> int:
    """The model is current from now on, for every server on this database; the number of its deployment.

    Nothing more happens when `key` was promoted before. All that servers need of it was kept by `keep_model`.

    Raises: NotThereError for a model that is not in the store, TakenError when another model than `instead_of` (the one
    that it was found better than) is current.
    """

    def change(session: Session) -> int:
        now = current_to_change(session)  # first: it waits for a rival, who may promote this very key
        done = session.scalar(select(DeploymentRow).where(DeploymentRow.key == key))
        if done is not None:
            return done.id
        if instead_of is not None and (now is None or now.model_sha256 != instead_of):
            raise TakenError(f"the model was found better than {instead_of[:12]}..., which is not current any more")
        return make_current(session, database, sha256, PROMOTE, key=key, note=note).id

    return database.write(change)


def roll_back(database: Database, to: str | None = None) -> tuple[str, str]:
    """Go back to the model before the current one, or to that whose hash begins with `to`: (from, to).

    Raises: NotThereError when there is none, or its weights are not in the store.
    """

    def change(session: Session) -> tuple[str, str]:
        now = current_to_change(session)
        if now is None:
            raise NotThereError("no server was started on this database yet; there is nothing to go back to")
        wanted = previous_model(session, now.model_sha256) if to is None else _find(session, to)
        if wanted is None or wanted == now.model_sha256:
            raise NotThereError(f"{now.model_sha256[:12]}... is current, and no other model was before it")
        if session.get_one(ModelRow, wanted).weights_key is None:
            raise NotThereError(f"the weights of {wanted[:12]}... are not in the store; start the server with them")
        make_current(session, database, wanted, ROLLBACK, note=f"back from {now.model_sha256[:12]}")
        return now.model_sha256, wanted

    return database.write(change)


def make_current(
    session: Session,
    database: Database,
    sha256: str,
    kind: str,
    *,
    note: str,
    key: str | None = None,
) -> DeploymentRow:
    """Write the deployment, of kind START, PROMOTE or ROLLBACK.

    Embeddings that nobody has begun are made by this model instead of those before it.
    """
    if session.get(ModelRow, sha256) is None:
        raise NotThereError(f"there is no model {sha256[:12]}... in the store; keep it there first")
    row = DeploymentRow(model_sha256=sha256, kind=kind, key=key, note=note, created_at=database.clock())
    session.add(row)
    session.execute(delete(JobRow).where(JobRow.kind == "embed", JobRow.state == "waiting"))
    session.flush()
    ask_all_embeddings(session, sha256, database.clock())
    return row


def _find(session: Session, beginning: str) -> str:
    found = {row.model_sha256 for row in list_deployments(session) if row.model_sha256.startswith(beginning)}
    if len(found) != 1:
        what = "no deployed model begins" if not found else f"{len(found)} deployed models begin"
        raise NotThereError(f"{what} with {beginning!r}; give more digits of one that `anymask engine status` lists")
    return found.pop()


def _decoder(model: Sam, sha256: str, folder: Path) -> bytes:
    cached = folder / f"decoder-{sha256}.onnx"
    if cached.is_file():
        return cached.read_bytes()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "browser.onnx"
        export_onnx(model, path, ExportConfig(part="browser"))
        data = path.read_bytes()
    cached.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(cached, data)
    return data


def _weights(model: Sam) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.safetensors"
        save(model, path)
        return path.read_bytes()


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
