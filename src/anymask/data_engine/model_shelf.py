"""Models ready to compute, by hash: a server's own, and those whose weights the store has."""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from anymask.data_engine.blobs import Blobs
from anymask.data_engine.store import Database
from anymask.data_engine.tables import ModelRow
from anymask.errors import EmbeddingMismatchError
from anymask.model.sam import Sam
from anymask.model.weights import load, model_hash
from anymask.predict.predictor import Predictor


class ModelShelf:
    """Loads a model when it is asked for first, and keeps the last few. Safe to share among threads."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        own: Callable[[], Sam] | None = None,
        *,
        device: str = "cpu",
        most: int = 2,
    ) -> None:
        """`own` loads the model this process was started with; at most `most` are in memory."""
        self.database, self.blobs, self.own, self.device, self.most = database, blobs, own, device, most
        self._own_hash: str | None = None
        self._ready: OrderedDict[str, Predictor] = OrderedDict()
        self._lock = Lock()

    def get(self, sha256: str) -> Predictor:
        """The model of this hash; the predictor is shared, so that nothing may be set in it.

        Raises: EmbeddingMismatchError when neither store nor process has it, WeightsError for damaged weights.
        """
        with self._lock:
            predictor = self._ready.pop(sha256, None) or Predictor(self._load(sha256))
            self._ready[sha256] = predictor
            while len(self._ready) > self.most:
                self._ready.popitem(last=False)
            return predictor

    def _load(self, sha256: str) -> Sam:
        row = self.database.read(lambda session: session.get(ModelRow, sha256))
        if row is not None and row.weights_key is not None:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.safetensors"
                path.write_bytes(self.blobs.read(row.weights_key))
                return load(path, device=self.device)
        if self.own is not None and self._own_hash in (None, sha256):
            model = self.own()
            self._own_hash = model_hash(model)
            if self._own_hash == sha256:
                return model
        has = "no other" if self._own_hash is None else f"{self._own_hash[:12]}..."
        raise EmbeddingMismatchError(
            f"model {sha256[:12]}... is asked for; its weights are not in the store, and this process has {has}; "
            "start it with that model, or leave the job"
        )
