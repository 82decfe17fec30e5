"""An engine's folder, opened with the database and store that it names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anymask.errors import ServerConfigError, StoreError

if TYPE_CHECKING:
    from anymask.data_engine.loop import Engine
    from anymask.data_engine.turns.config import EngineConfig

DATABASE = "ANYMASK_DATABASE"
"""Whole address of the database, where the engine's configuration holds it without its password."""
FOLDER = Annotated[Path, typer.Argument(metavar="ENGINE", help="The engine's folder.", show_default=False)]


def database_url(config: EngineConfig) -> str:
    """The address to connect to: that of the environment, when it is the same database with a password.

    Raises: ServerConfigError when it is another database.
    """
    given = os.environ.get(DATABASE)
    if not given:
        return config.database
    if without_password(given) != config.database:
        raise ServerConfigError(
            f"{DATABASE} names another database than the engine's {config.database}; unset it, or use the engine of it"
        )
    return given


def without_password(url: str) -> str:
    """The address as it may be written down.

    >>> without_password("postgresql://masks:secret@db/masks"), without_password("sqlite:///a.db")
    ('postgresql://masks@db/masks', 'sqlite:///a.db')
    >>> without_password("postgresql://db/masks?user=masks&password=secret")
    'postgresql://db/masks?user=masks'
    """
    from sqlalchemy import URL, make_url

    parsed = make_url(url)
    query = {name: value for name, value in parsed.query.items() if name != "password"}
    bare = URL.create(parsed.drivername, parsed.username, None, parsed.host, parsed.port, parsed.database, query)
    return bare.render_as_string(hide_password=False)


def absolute_database(url: str) -> str:
    """The address with a whole path, where it is of a file.

    >>> absolute_database("sqlite:////a/b.db"), absolute_database("postgresql://masks@db/masks")
    ('sqlite:////a/b.db', 'postgresql://masks@db/masks')

    Raises: StoreError for what is no address.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(
            "the database address cannot be read; write sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from error
    if parsed.drivername != "sqlite" or parsed.database in (None, "", ":memory:"):
        return url
    path = Path(str(parsed.database)).expanduser().absolute()
    return parsed.set(database=str(path)).render_as_string(hide_password=False)


@contextmanager
def opened(folder: Path) -> Iterator[Engine]:
    """The engine, its database brought up to date.

    Raises: RunError for a folder without one, StoreError, NotThereError, ConfigError.
    """
    from anymask.cli.serving import Place
    from anymask.data_engine.loop import Engine
    from anymask.data_engine.turns.config import read_config
    from anymask.model.weights import cache_directory

    config = read_config(folder)
    place = Place(
        database_url=database_url(config), store_url=config.store, workspace=folder, model=None, device=config.device
    )
    database, blobs = place.open()
    try:
        yield Engine(folder, config, database, blobs, cache_directory() / "decoders")
    finally:
        database.close()
