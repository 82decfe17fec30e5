"""Bring a database to the version of this package, in one transaction: a killed upgrade leaves it as it was."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy.exc import SQLAlchemyError

from anymask.data_engine.store import Database
from anymask.errors import StoreError

_LOCK = 4_215_903
"""Any number: PostgreSQL's advisory lock that two starting servers take in turn."""


def upgrade(database: Database, to: str = "head") -> None:
    """All steps that are due, up to `to`. Does nothing when there is none. Safe when several servers start at once.

    Raises: StoreError for a database of a newer package, or when a step fails (the database is then as before).
    """
    config = _config()
    try:
        # Begun here: of a connection that is in none, Alembic makes a transaction of each step on SQLite.
        with database.writer.begin() as connection:
            if not database.is_sqlite:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            config.attributes["connection"] = connection
            command.upgrade(config, to)
    except CommandError as error:
        raise StoreError(
            f"the database is of another version than this package ({error}); install a newer one"
        ) from error
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise StoreError(
            f"the database cannot be brought up to date ({reason}); nothing was lost: "
            "see that its disk has space and can be written, then start again"
        ) from error


def version_of(database: Database) -> str | None:
    """The last step that was taken; None for an empty database."""
    with database.reader.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest_version() -> str:
    """The last step there is."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
