"""`anymask engine init`: an engine for a project, its first model in the store, and its pictures if need be."""

from __future__ import annotations

import json as json_format
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anymask.cli import console
from anymask.cli.engine.opening import DATABASE, FOLDER, absolute_database, without_password
from anymask.cli.options import expand_paths, load_model
from anymask.errors import ConfigError, NotThereError

if TYPE_CHECKING:
    from anymask.data_engine.blobs import Blobs
    from anymask.data_engine.store import Database
    from anymask.data_engine.turns.config import EngineConfig


def init(
    folder: FOLDER,
    project: Annotated[str, typer.Option(help="Name of the project whose masks it learns from.", show_default=False)],
    workspace: Annotated[
        Path | None,
        typer.Option(help="Workspace of `anymask serve` or `annotate` on this machine.", show_default="ENGINE/server"),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            help="The server's database, when it is not in the workspace; or set ANYMASK_DATABASE.", show_default=False
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(help="The server's store, when it is not in the workspace.", show_default="WORKSPACE/store"),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Model to begin with.", show_default="the server's current one, tiny where none is"),
    ] = None,
    pictures: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Add these pictures to the project (which is made if need be): folders of sets or tar shards; may be "
            "repeated. Their label maps are left out.",
            show_default=False,
        ),
    ] = None,
    benchmark: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="Held-out labelled data that decide; may be repeated.", show_default=False),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="More labelled data to score on; may be repeated.", show_default=False),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="JSON with any fields of the configuration; ENGINE/engine.json has all.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make an engine for a project of an annotation server.

    The engine works on the server's own database and store; the server may run or not. The folder gets `engine.json`:
    recipe and steps of each stage, when a stage ends, the gate, what is scored, how the queue is ordered. Change it as
    you like; a turn that was begun keeps the masks, the stage and the model that it was planned with.

    **Examples**

    ```
    anymask engine init engine --project photos --workspace anymask-server
    anymask engine init engine --project photos --workspace anymask-server --benchmark held.tar --also val.tar
    anymask engine init engine --project pool --model tiny_loop_start --pictures pool/train.tar --config fast.json
    anymask engine init engine --project photos --database postgresql://masks@db/masks --store s3://bucket/masks
    ```
    """
    from anymask.cli.serving import Place, check_installed, make_workspace
    from anymask.data_engine.turns.config import refuse_existing, write_config

    check_installed()
    refuse_existing(folder)
    home = make_workspace(workspace.expanduser() if workspace is not None else folder / "server")
    plain = {} if config is None else _read(config)
    here = plain if workspace is None else {}
    url = database or os.environ.get(DATABASE) or here.get("database") or f"sqlite:///{home / 'anymask.db'}"
    kept = store or here.get("store") or str(home / "store")
    place = Place(
        database_url=absolute_database(url), store_url=_absolute_store(kept), workspace=home, model=model, device="cpu"
    )
    where = {"database": without_password(place.database_url), "store": place.store_url, "project": project}
    made = _configure(plain | where, benchmark or [], also or [])
    opened, blobs = place.open()
    try:
        if pictures:
            _add_pictures(opened, blobs, project, expand_paths(pictures))
        _check_project(opened, project)
        name = _keep_model(place.model, made.device, opened, blobs)
        write_config(folder, made)
    finally:
        opened.close()
    console.say(f"{folder}: an engine for {project!r}, beginning with {name}; see {folder / 'engine.json'}")
    console.say(f"a turn, when masks are there: anymask engine turn {folder}")


def _read(file: Path) -> dict[str, Any]:
    try:
        plain = json_format.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read as JSON ({error}); give an object of fields") from error
    if not isinstance(plain, dict):
        raise ConfigError(f"{file} holds no object of fields but {type(plain).__name__}; give an object of fields")
    return plain


def _configure(plain: dict[str, Any], benchmark: list[str], also: list[str]) -> EngineConfig:
    """The configuration, every path in it absolute, so that turns may be taken from another folder."""
    from anymask.data_engine.turns.config import EngineConfig
    from anymask.runs import from_plain

    made = from_plain(EngineConfig, plain)
    score = replace(
        made.score,
        benchmark=tuple(map(str, expand_paths([*made.score.benchmark, *benchmark]))),
        also=tuple(map(str, expand_paths([*made.score.also, *also]))),
    )
    return replace(made, score=score, mix=tuple(map(str, expand_paths(made.mix))))


def _absolute_store(url: str) -> str:
    return url if "://" in url else str(Path(url).expanduser().absolute())


def _check_project(database: Database, name: str) -> None:
    from sqlalchemy import select

    from anymask.data_engine.tables import ProjectRow

    names = database.read(lambda session: list(session.scalars(select(ProjectRow.name))))
    if name not in names:
        there = ", ".join(map(repr, sorted(names))) or "none"
        raise NotThereError(
            f"the server has no project called {name!r} (there are: {there}); make it in the tool, or give --pictures"
        )


def _keep_model(given: str | None, device: str, database: Database, blobs: Blobs) -> str:
    """The model to begin with is deployed, and its weights are in the store, so that one can always go back to it."""
    from anymask.data_engine import deployment
    from anymask.data_engine.tables import ModelRow
    from anymask.model.weights import cache_directory, model_hash

    now = database.read(deployment.current)
    kept = None if now is None else database.read(lambda session: session.get_one(ModelRow, now.model_sha256))
    if given is None and kept is not None and kept.weights_key is not None:
        return kept.name
    name = given or (kept.name if kept is not None else "tiny")
    model = load_model(name, device)
    cache = cache_directory() / "decoders"
    console.warn("preparing the model for the browser (the first time on a machine this takes up to a minute)")
    # The weights are in the store, so that a file's place does not matter any more.
    shown = Path(name).name if Path(name).exists() else name
    deployment.keep_model(database, blobs, model, shown, cache, with_weights=True)
    deployed = deployment.deploy(database, blobs, model, shown, cache)
    if deployed.sha256 != model_hash(model):
        raise ConfigError(
            f"{name} was given, but the server's current model is {deployed.name!r}; leave --model out, or go back "
            "with `anymask engine rollback`"
        )
    return name


def _add_pictures(database: Database, blobs: Blobs, project: str, paths: list[Path]) -> None:
    """The pictures of label-map shards and folders, without the maps, in the project of that name."""
    from sqlalchemy import select
    from sqlalchemy.orm import Session

    from anymask.data_engine import people, projects
    from anymask.data_engine.incoming import open_source
    from anymask.data_engine.pictures import add_picture, keep_picture
    from anymask.data_engine.tables import PersonRow, ProjectRow
    from anymask.server.schemas import ProjectSettings

    now = database.clock()

    def find(session: Session) -> int:
        found = session.scalar(select(ProjectRow.id).where(ProjectRow.name == project))
        if found is not None:
            return found
        admin = session.scalar(select(PersonRow).where(PersonRow.role == "admin").order_by(PersonRow.id))
        owner = admin or people.person_alone(session, now)
        settings = ProjectSettings().model_dump(mode="json")
        return projects.add_project(session, project, None, settings, owner.id, now).id

    project_id = database.write(find)
    sources = [open_source("labels", path) for path in paths]
    total = sum(len(source.items) for source in sources)
    done = 0
    with console.progress_bar("add pictures", unit="pictures") as update:
        for source in sources:
            for item in source.items:
                assert item.picture is not None
                kept = keep_picture(blobs, item.picture())
                database.write(
                    partial(
                        add_picture,
                        project_id=project_id,
                        file_name=item.file_name,
                        kept=kept,
                        now=now,
                        model_sha256=None,
                    )
                )
                done += 1
                update(done, total)
    console.say(f"{done} pictures in {project!r}")
