"""`anymask serve`: the annotation server for a team, with sign-in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anymask.cli import console
from anymask.cli.options import DEVICE
from anymask.errors import ServerConfigError

if TYPE_CHECKING:
    from anymask.cli.serving import Place
    from anymask.data_engine.store import Database

SECRET, PASSWORD, DATABASE = "ANYMASK_SECRET", "ANYMASK_ADMIN_PASSWORD", "ANYMASK_DATABASE"
"""What is read from the environment, because command lines can be seen by others."""
PORT = 8322


def serve(
    workspace: Annotated[
        Path, typer.Option(help="Folder for the database and files that are kept nowhere else.")
    ] = Path("anymask-server"),
    database: Annotated[
        str | None,
        typer.Option(
            help="postgresql://USER@HOST/NAME or sqlite:///FILE; or set ANYMASK_DATABASE.", show_default=False
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(help="Folder or address (s3://BUCKET/FOLDER) for pictures.", show_default="WORKSPACE/store"),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port.", min=0, max=65535)] = PORT,
    public_host: Annotated[
        list[str] | None,
        typer.Option(help="Name under which browsers reach the server; may be repeated.", show_default=False),
    ] = None,
    https: Annotated[bool, typer.Option("--https", help="A proxy in front speaks HTTPS: cookies need it.")] = False,
    admin: Annotated[str, typer.Option(help="Name of the first admin.")] = "admin",
    import_root: Annotated[
        list[Path] | None,
        typer.Option(help="Folder that admins may import from; may be repeated.", show_default=False),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that embed, import and export.", min=0, max=64)] = 1,
    job_limit: Annotated[
        float,
        typer.Option(help="Seconds without progress after which a picture or import counts as hung.", min=1),
    ] = 900,
    model: Annotated[
        str | None,
        typer.Option(
            help="The model to begin with, a name that `anymask models` lists or a path; what a turn of the engine "
            "promoted since stays.",
            show_default="the current one, tiny at first",
        ),
    ] = None,
    device: DEVICE = "cpu",
    worker_only: Annotated[bool, typer.Option("--worker-only", help="Only embed, import and export.")] = False,
    openapi: Annotated[
        bool, typer.Option("--openapi", help="Print the description of the interface, and end.")
    ] = False,
) -> int:
    """Serve the annotation tool to a team.

    People sign in; the first admin gets the password in ANYMASK_ADMIN_PASSWORD at the first start. Beyond this machine
    it wants ANYMASK_SECRET, 32 characters or more, and --public-host. Put a proxy with HTTPS in front of it.

    **Examples**

    ```
    ANYMASK_ADMIN_PASSWORD=... anymask serve --workspace team
    anymask serve --host 0.0.0.0 --public-host masks.example.org --https --database postgresql://masks@db/masks
    anymask serve --worker-only --workspace team --device cuda
    anymask serve --openapi
    ```
    """
    from anymask.cli.serving import Place, check_installed, listen, make_workspace, run_server, run_worker

    check_installed()
    if openapi:
        from anymask.server.app import describe

        console.say_json(describe().openapi())
        return 0
    home = make_workspace(workspace.expanduser())
    place = Place(
        database_url=database or os.environ.get(DATABASE) or f"sqlite:///{home / 'anymask.db'}",
        store_url=store or str(home / "store"),
        workspace=home,
        model=model,
        device=device,
    )
    if worker_only:
        return run_worker(place, job_limit)
    from anymask.server.app import NOT_BUILT, STATIC, is_built
    from anymask.server.config import ServerConfig

    config = ServerConfig(
        mode="team",
        host=host,
        secret=_secret(host, home),
        public_hosts=_public_hosts(host, public_host or []),
        https=https,
        static=STATIC,
        import_roots=tuple(root.expanduser().resolve() for root in import_root or []),
    )
    opened, _ = place.open()
    _ensure_admin(opened, admin)
    opened.close()
    if not is_built():
        console.warn(NOT_BUILT)
    listening = listen(host, port, or_any=False)
    crew = [_worker_command(place, job_limit)] * workers
    return run_server(
        place, config, listening, workers=crew, on_start=lambda url: console.say(f"serving at {url} (Ctrl+C ends it)")
    )


def _worker_command(place: Place, job_limit: float) -> list[str]:
    where = ["--workspace", str(place.workspace), "--store", place.store_url]
    # The database's address may hold a password, so it goes by the environment.
    os.environ[DATABASE] = place.database_url
    model = [] if place.model is None else ["--model", place.model]
    what = [*model, "--device", place.device, "--job-limit", str(job_limit)]
    return ["serve", "--worker-only", *where, *what]


def _secret(host: str, workspace: Path) -> str:
    from anymask.cli.serving import read_secret
    from anymask.server.config import is_loopback

    given = os.environ.get(SECRET)
    if given:
        return given
    if not is_loopback(host):
        raise ServerConfigError(
            f"to listen on {host}, beyond this machine, the server needs a secret; set {SECRET} to 32 random "
            "characters or more, for example of: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return read_secret(workspace)


def _public_hosts(host: str, given: list[str]) -> tuple[str, ...]:
    from anymask.server.config import is_loopback

    if not given and not is_loopback(host):
        raise ServerConfigError(
            f"to listen on {host}, beyond this machine, say under which name browsers reach the server: "
            "--public-host masks.example.org"
        )
    return tuple(name.lower() for name in given)


def _ensure_admin(database: Database, name: str) -> None:
    """The first admin, with the password of the environment.

    Raises: ServerConfigError when nobody could sign in.
    """
    from sqlalchemy.orm import Session

    from anymask.data_engine import people

    password = os.environ.get(PASSWORD)
    now = database.clock()

    def ensure(session: Session) -> bool:
        if people.has_admin_with_password(session):
            return True
        if password:
            people.add_person(session, name, "admin", password, now)
        return bool(password)

    if not database.write(ensure):
        raise ServerConfigError(
            f"nobody could sign in yet; set {PASSWORD} to a password of {people.SHORTEST_PASSWORD} characters or more "
            f"for the first admin, {name!r}, and start again"
        )
