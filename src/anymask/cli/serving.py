"""What `annotate` and `serve` share: a server with its worker processes, from start to a clean end."""

from __future__ import annotations

import gc
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from anymask.cli import console
from anymask.cli.crew import Crew, follow_parent
from anymask.errors import MissingDependencyError, ServerConfigError, StoreError

if TYPE_CHECKING:
    from anymask.data_engine.blobs import Blobs
    from anymask.data_engine.model_shelf import ModelShelf
    from anymask.data_engine.store import Database
    from anymask.server.config import ServerConfig

_SWITCH_S = 0.0005
_HUNG_CODE = 70
_LEAVE_S = 5.0
"""How long a worker that is told to end goes on with an import or export; shorter than a crew waits for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a server keeps what it has."""

    database_url: str
    store_url: str
    workspace: Path
    """Folder for files that grow, and the secret."""
    model: str | None
    """To begin with; None for the current one, "tiny" where none is."""
    device: str

    def open(self) -> tuple[Database, Blobs]:
        """Database, brought up to date, and store.

        Raises: StoreError, MissingDependencyError without the serve extra.
        """
        check_installed()
        from anymask.data_engine.blobs import Blobs
        from anymask.data_engine.migrations.upgrading import upgrade
        from anymask.data_engine.store import Database

        database = Database(self.database_url)
        upgrade(database)
        return database, Blobs(self.store_url)


def check_installed() -> None:
    """Raises: MissingDependencyError when a package of the serve extra is not there."""
    import importlib.util

    needed = ("fastapi", "uvicorn", "sqlalchemy", "alembic", "argon2", "fsspec", "onnx", "onnxscript", "onnxruntime")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"the annotation server needs {', '.join(missing)}; install them with: pip install 'anymask[serve]'"
        )


def make_workspace(folder: Path) -> Path:
    """The folder, made if need be.

    Raises: StoreError when it cannot be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder} cannot be made ({error.strerror}); name another with --workspace") from error
    return folder.resolve()


def read_secret(workspace: Path) -> str:
    """The workspace's own secret, made at the first start; only its owner can read the file."""
    file = workspace / "secret"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(32))
    return file.read_text().strip()


def listen(host: str, port: int, *, or_any: bool) -> socket.socket:
    """A listening socket; with `or_any` on a free port when `port` is taken.

    Raises: ServerConfigError when there is none.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for wanted in (port, 0) if or_any else (port,):
        opened = socket.socket(family, socket.SOCK_STREAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind((host, wanted))
        except OSError as error:
            opened.close()
            reason = error.strerror or str(error)
            continue
        opened.listen(256)
        return opened
    raise ServerConfigError(f"{host} port {port} cannot be listened on ({reason}); name another with --port")


def run_server(
    place: Place,
    config: ServerConfig,
    listening: socket.socket,
    *,
    workers: Sequence[Sequence[str]],
    on_start: Callable[[str], None],
) -> int:
    """Serve until interrupted; `workers` are command lines that are started again when they end by themselves."""
    import uvicorn

    from anymask.data_engine.saving import Saver
    from anymask.server.app import create_app
    from anymask.server.deps import Services
    from anymask.server.embeddings import ServerDecoder
    from anymask.server.models import ServedModels

    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    database, blobs = place.open()
    shelf = begin_model(place, database, blobs)
    saver = Saver(database)
    services = Services(
        config=config,
        database=database,
        blobs=blobs,
        models=ServedModels(database, blobs),
        decoder=ServerDecoder(shelf, blobs),
        saver=saver,
    )
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(services), log_level="warning", access_log=False, server_header=False, timeout_keep_alive=15
        )
    )
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    announce = threading.Thread(target=_announce, args=(server, f"http://{shown}:{port}/", on_start), daemon=True)
    crew = Crew(workers)
    announce.start()
    # What is there now stays: looking through it again and again would stop everybody for a tenth of a second.
    gc.collect()
    gc.freeze()
    # A thread that comes back from the database waits at most so long for the one that speaks with browsers.
    sys.setswitchinterval(_SWITCH_S)
    try:
        server.run(sockets=[listening])
    finally:
        crew.end()
        saver.close()
        database.close()
    return 0


def run_worker(place: Place, job_limit_s: float) -> int:
    """Embed, propose, import and export until the process that started this one ends, or a signal comes.

    A job without progress for `job_limit_s` ends the process: what hangs in it can be ended in no other way.
    """
    stop = threading.Event()
    # Before the imports below, which take long on a busy machine.
    follow_parent(stop)
    from anymask.cli.options import load_model
    from anymask.data_engine.embedding import Embedder
    from anymask.data_engine.exports import Exporter
    from anymask.data_engine.imports import Importer
    from anymask.data_engine.model_shelf import ModelShelf
    from anymask.data_engine.proposals import Proposer
    from anymask.data_engine.semi_automatic import PROPOSE
    from anymask.data_engine.worker import Worker

    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    database, blobs = place.open()
    shelf = ModelShelf(
        database, blobs, lambda: load_model(_model_name(place, database), place.device), device=place.device
    )
    ahead = {"embed": Embedder(database, blobs, shelf), PROPOSE: Proposer(database, blobs, shelf)}
    transfers = {
        "import": Importer(database, blobs, None),
        "export": Exporter(database, blobs, place.workspace / "exports"),
    }

    def end_hung(reason: str) -> None:
        console.warn(f"this worker ends itself: {reason}")
        for worker in (embed, files):
            worker.hand_back()
        os._exit(_HUNG_CODE)

    embed, files = (Worker(database, each, hung_s=job_limit_s, on_hung=end_hung) for each in (ahead, transfers))
    # Long imports must not keep the next picture from being embedded.
    beside = threading.Thread(target=files.run, args=(stop,))
    beside.start()
    embed.run(stop)
    beside.join(_LEAVE_S)
    if beside.is_alive():
        # A long import or export goes on with the next worker, where it is noted.
        files.hand_back()
        os._exit(0)
    database.close()
    return 0


def begin_model(place: Place, database: Database, blobs: Blobs) -> ModelShelf:
    """The models of a server that starts: the current one as it is, or `place.model`, which is deployed.

    Raises: StoreError, WeightsError, MissingDependencyError.
    """
    from anymask.cli.options import load_model
    from anymask.data_engine import deployment
    from anymask.data_engine.model_shelf import ModelShelf
    from anymask.data_engine.pictures import ask_all_embeddings
    from anymask.data_engine.tables import ModelRow
    from anymask.model.weights import cache_directory

    now = database.read(deployment.current)
    if now is not None and (place.model is None or now.kind != deployment.START):
        kept = database.read(lambda session: session.get_one(ModelRow, now.model_sha256))
        if kept.weights_key is not None:
            if place.model is not None:
                console.warn(f"{kept.name!r} is served, not {place.model!r}: a turn of the engine made it current")
            database.write(lambda session: ask_all_embeddings(session, kept.sha256, database.clock()))
            return ModelShelf(database, blobs, device=place.device)
    name = _model_name(place, database)
    model = load_model(name, place.device)
    console.warn("preparing the model for the browser (the first time on a machine this takes up to a minute)")
    deployment.deploy(database, blobs, model, name, cache_directory() / "decoders")
    return ModelShelf(database, blobs, lambda: model, device=place.device)


def _model_name(place: Place, database: Database) -> str:
    from anymask.data_engine import deployment
    from anymask.data_engine.tables import ModelRow

    now = database.read(deployment.current)
    if place.model is not None or now is None:
        return place.model or "tiny"
    return database.read(lambda session: session.get_one(ModelRow, now.model_sha256)).name


def _announce(server: object, url: str, on_start: Callable[[str], None]) -> None:
    while not getattr(server, "started", False):
        time.sleep(0.05)
    on_start(url)
