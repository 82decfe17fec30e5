"""`anymask annotate`: from a folder of pictures to masks, alone on one's own machine."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anymask.cli import console
from anymask.cli.options import DEVICE, MODEL
from anymask.errors import InputError

if TYPE_CHECKING:
    from anymask.data_engine.store import Database

PORT = 8321


def annotate(
    folder: Annotated[Path, typer.Argument(help="The pictures; sub-folders count too.", show_default=False)],
    model: MODEL = "tiny",
    device: DEVICE = "cpu",
    workspace: Annotated[
        Path | None, typer.Option(help="Folder for masks and all else that is kept.", show_default="FOLDER/.anymask")
    ] = None,
    port: Annotated[int, typer.Option(help="Port; another one when it is taken.", min=0, max=65535)] = PORT,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address, and open nothing.")] = False,
) -> int:
    """Annotate a folder of pictures in the browser.

    Only this machine can reach it, and nobody signs in. The pictures stay as they are; masks are kept in the workspace,
    and the next start goes on where this one ended. Ctrl+C ends it.

    **Examples**

    ```
    anymask annotate photos
    anymask annotate photos --no-browser --port 9000
    anymask annotate /media/camera --workspace masks --model vit_b --device cuda
    ```
    """
    from anymask.cli.serving import Place, check_installed, listen, make_workspace, read_secret, run_server

    check_installed()
    from anymask.server.app import NOT_BUILT, STATIC, is_built
    from anymask.server.config import ServerConfig

    root = folder.expanduser().resolve()
    if not root.is_dir():
        raise InputError(f"{folder} is not a folder; give the folder that holds the pictures")
    home = make_workspace(workspace or root / ".anymask")
    place = Place(
        database_url=f"sqlite:///{home / 'anymask.db'}",
        store_url=str(home / "store"),
        workspace=home,
        model=model,
        device=device,
    )
    config = ServerConfig(mode="alone", secret=read_secret(home), static=STATIC, import_roots=(root,))
    listening = listen(config.host, port, or_any=True)
    database, _ = place.open()
    _prepare(database, root)
    database.close()
    if not is_built():
        console.warn(NOT_BUILT)

    def on_start(url: str) -> None:
        console.say(f"annotate {root} at {url} (Ctrl+C ends it)")
        if not no_browser and is_built():
            webbrowser.open(url)

    worker = ["serve", "--worker-only", "--workspace", str(home), "--model", model, "--device", device]
    return run_server(place, config, listening, workers=[worker], on_start=on_start)


def _prepare(database: Database, root: Path) -> None:
    """A project for the folder, and a job that brings in what is new in it."""
    import uuid

    from sqlalchemy import select
    from sqlalchemy.orm import Session

    from anymask.data_engine import jobs, people, projects
    from anymask.data_engine.tables import ProjectRow
    from anymask.server.schemas import ProjectSettings

    now = database.clock()

    def prepare(session: Session) -> None:
        me = people.person_alone(session, now)
        project = session.scalar(select(ProjectRow).where(ProjectRow.name == root.name))
        if project is None:
            settings = ProjectSettings().model_dump(mode="json")
            project = projects.add_project(session, root.name or "pictures", None, settings, me.id, now)
        payload = {"format": "folder", "path": str(root)}
        jobs.add_job(session, "import", str(uuid.uuid4()), payload, now, project_id=project.id)

    database.write(prepare)
