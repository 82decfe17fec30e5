"""A place where prepared work is put before people: a workspace of its own on this machine, or that of a team's server.

`anymask evaluate rating serve` and `anymask dataset study correct` share it.
"""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anymask.cli import console
from anymask.cli.serve import DATABASE as DATABASE_VARIABLE
from anymask.errors import NotThereError

if TYPE_CHECKING:
    from anymask.data_engine.blobs import Blobs
    from anymask.data_engine.store import Database

TEAM_WORKSPACE = Annotated[
    Path | None,
    typer.Option(help="Folder of the database and pictures: a team's server has one.", show_default="in the study"),
]
DATABASE = Annotated[
    str | None,
    typer.Option(help="As for `anymask serve`; or set ANYMASK_DATABASE.", show_default="in the workspace"),
]
STORE = Annotated[str | None, typer.Option(help="As for `anymask serve`.", show_default="WORKSPACE/store")]
ADD_ONLY = Annotated[bool, typer.Option("--add-only", help="Add it for a team's server, and end; serve nothing.")]
PORT = Annotated[int, typer.Option(help="Port; another one when it is taken.", min=0, max=65535)]
NO_BROWSER = Annotated[bool, typer.Option("--no-browser", help="Print the address, and open nothing.")]


@dataclass(frozen=True, slots=True)
class Workplace:
    """A workspace with its database and store."""

    workspace: Path
    database: str | None = None
    """Its address; a file in the workspace when None."""
    store: str | None = None
    """Folder or address of pictures; in the workspace when None."""

    @property
    def database_url(self) -> str:
        """The address, of the option, the environment, or the workspace."""
        given = self.database or os.environ.get(DATABASE_VARIABLE)
        return given or f"sqlite:///{self.workspace.expanduser().resolve() / 'anymask.db'}"

    @property
    def database_shown(self) -> str:
        """The database's file, or its address without a password."""
        from anymask.cli.engine.opening import without_password

        return without_password(self.database_url).removeprefix("sqlite:///")

    @contextmanager
    def opened(self, *, made_by: str | None = None) -> Iterator[tuple[Database, Blobs]]:
        """Database, brought up to date, and store; made where they are not there, unless a command had to do that:
        `made_by`.

        Raises: NotThereError, StoreError, MissingDependencyError without the serve extra.
        """
        from anymask.cli.serving import check_installed, make_workspace

        check_installed()
        file = self.database_url.removeprefix("sqlite:///")
        if made_by is not None and file != self.database_url and not Path(file).is_file():
            raise NotThereError(f"there is no database {file}; name the workspace, or begin with: {made_by}")
        home = make_workspace(self.workspace.expanduser())
        from anymask.data_engine.blobs import Blobs
        from anymask.data_engine.migrations.upgrading import upgrade
        from anymask.data_engine.store import Database

        database = Database(self.database_url)
        upgrade(database)
        try:
            yield database, Blobs(self.store or str(home / "store"))
        finally:
            database.close()

    def owner(self, database: Database) -> int:
        """Whose a new project is: the first admin, or the person alone on this machine where there is none."""
        from sqlalchemy import select
        from sqlalchemy.orm import Session

        from anymask.data_engine import people
        from anymask.data_engine.tables import PersonRow

        now = database.clock()

        def find(session: Session) -> int:
            admins = select(PersonRow.id).where(PersonRow.role == "admin", PersonRow.active.is_(True))
            found = session.scalar(admins.order_by(PersonRow.id).limit(1))
            return people.person_alone(session, now).id if found is None else found

        return database.write(find)

    def serve(
        self,
        path: str,
        port: int,
        *,
        no_browser: bool,
        work: bool,
        title: str,
        model: str = "tiny",
        device: str = "cpu",
    ) -> int:
        """Serve to the person at this machine, who sees `path` first; with `work`, pictures are embedded by a worker.

        Raises: ServerConfigError, StoreError.
        """
        from anymask.cli.serving import Place, listen, make_workspace, read_secret, run_server
        from anymask.server.app import NOT_BUILT, STATIC, is_built
        from anymask.server.config import ServerConfig

        home = make_workspace(self.workspace.expanduser())
        store = self.store or str(home / "store")
        place = Place(database_url=self.database_url, store_url=store, workspace=home, model=model, device=device)
        config = ServerConfig(mode="alone", secret=read_secret(home), static=STATIC)
        listening = listen(config.host, port, or_any=True)
        if not is_built():
            console.warn(NOT_BUILT)

        def on_start(url: str) -> None:
            console.say(f"{title} at {url.rstrip('/')}{path} (Ctrl+C ends it)")
            if not no_browser and is_built():
                webbrowser.open(url.rstrip("/") + path)

        # The database's address may hold a password, so it goes by the environment.
        os.environ[DATABASE_VARIABLE] = self.database_url
        worker = ["serve", "--worker-only", "--workspace", str(home), "--store", store]
        worker += ["--model", model, "--device", device]
        return run_server(place, config, listening, workers=[worker] if work else [], on_start=on_start)
