"""Which model this server works with now: asked of the database, so that a promotion needs no restart."""

from __future__ import annotations

import time
from threading import Lock

from anymask.data_engine.blobs import Blobs
from anymask.data_engine.deployment import DeployedModel, current, describe
from anymask.data_engine.store import Database
from anymask.errors import StoreError

_LOOK_S = 0.5
"""So old the answer may be: many requests ask, and a promotion is rare."""


class ServedModels:
    """The current model, and those that open pictures still work with."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self.database, self.blobs = database, blobs
        self._known: dict[str, DeployedModel] = {}
        self._current: tuple[float, str] | None = None
        self._lock = Lock()

    def current(self) -> DeployedModel:
        """The model of the newest deployment.

        Raises: StoreError when there is none.
        """
        with self._lock:
            if self._current is None or time.monotonic() - self._current[0] > _LOOK_S:
                row = self.database.read(current)
                if row is None:
                    raise StoreError("no model was deployed on this database; start a server with --model first")
                self._current = (time.monotonic(), row.model_sha256)
            sha256 = self._current[1]
        return self.get(sha256)

    def get(self, sha256: str) -> DeployedModel:
        """A model that this store knows, current or not.

        Raises: NotThereError.
        """
        if sha256 not in self._known:
            self._known[sha256] = describe(self.database, self.blobs, sha256)
        return self._known[sha256]
