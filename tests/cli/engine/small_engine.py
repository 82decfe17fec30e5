"""An engine's folder beside a team's database, made without waiting for a decoder to be written."""

from __future__ import annotations

from pathlib import Path

from anymask.data_engine.blobs import Blobs
from anymask.data_engine.store import Database
from anymask.model.sam import Sam
from anymask.model.weights import model_hash
from tests.data_engine.turns.labelled_world import add_labelled
from tests.data_engine.world import Clock, World


def make_place(workspace: Path, migrated: Path) -> World:
    """A workspace with a database, a store and one project."""
    workspace.mkdir()
    (workspace / "anymask.db").write_bytes(migrated.read_bytes())
    database = Database(f"sqlite:///{workspace / 'anymask.db'}")
    return World(database, Blobs(str(workspace / "store")), Clock())


def keep_decoder(cache: Path, model: Sam) -> None:
    """The decoder of `model` counts as written."""
    (cache / "decoders").mkdir(parents=True, exist_ok=True)
    (cache / "decoders" / f"decoder-{model_hash(model)}.onnx").write_bytes(b"made before")


__all__ = ["add_labelled", "keep_decoder", "make_place"]
