"""The annotation database: SQLite in a file by default, PostgreSQL by URL; and the way in and out of a transaction.

SQLite runs with a write-ahead log and `synchronous=FULL`: what was committed survives a power cut. One writer at a time
holds it, so writers of one process queue for a single connection, and those of others wait for the lock.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from anymask.errors import NotWritableError, StoreError

T = TypeVar("T")

_LOCK_WAIT_S = 30.0
_RETRY_FOR_S = 20.0
"""How long a transaction is tried again while the database restarts."""
_UNWRITABLE = (
    "disk is full",
    "readonly database",
    "disk i/o error",
    "unable to open database file",
    "no space left on device",
    "disk quota exceeded",
    "read-only transaction",
    "read-only file system",
)
"""What SQLite and PostgreSQL say then."""


def utc_now() -> datetime:
    """The moment, in UTC."""
    return datetime.now(UTC)


class Database:
    """Transactions on one database. Safe to share among threads, not among forked processes."""

    def __init__(self, url: str, *, connections: int = 20, clock: Callable[[], datetime] = utc_now) -> None:
        """For `url`: `sqlite:///path/to/file.db` or `postgresql+psycopg://user:password@host/name`.

        Raises: StoreError for another kind of URL, or a folder that is not there.
        """
        self.url = url
        self.clock = clock
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise StoreError(f"the database URL cannot be read; write {_FORMS}") from error
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:"):
            self.is_sqlite = True
            folder = Path(str(parsed.database)).absolute().parent
            if not folder.is_dir():
                raise StoreError(f"there is no folder {folder} for the database; make it first")
            self.writer = _sqlite_engine(parsed, write=True)
            self.reader = _sqlite_engine(parsed, write=False)
        elif parsed.drivername == "postgresql+psycopg":
            self.is_sqlite = False
            self.writer = self.reader = create_engine(
                parsed,
                pool_size=connections,
                max_overflow=0,
                pool_timeout=_LOCK_WAIT_S,
                connect_args={"connect_timeout": 5},
            )
        else:
            raise StoreError(f"the database is {parsed.drivername!r}; write {_FORMS}")

    def read(self, work: Callable[[Session], T]) -> T:
        """What `work` answers from one consistent state of the database."""
        return self._run(self.reader, work)

    def write(self, work: Callable[[Session], T]) -> T:
        """What `work` answers, after all it changed is safely on disk; nothing of it is when it raises.

        `work` runs again from the beginning when the database restarts or two transactions wait for each other, so it
        must not change anything else.

        Raises: StoreError when the database stays away, NotWritableError for a full, read-only or failing disk.
        """
        return self._run(self.writer, work)

    def _run(self, engine: Engine, work: Callable[[Session], T]) -> T:
        until = time.monotonic() + _RETRY_FOR_S
        wait_s = 0.02
        while True:
            try:
                with Session(engine, expire_on_commit=False) as session, session.begin():
                    return work(session)
            except (DBAPIError, PoolTimeout) as error:
                if _is_unwritable(error):
                    raise NotWritableError(
                        f"nothing was saved: the database cannot be written ({_reason(error)}); "
                        "free space on its disk or make it writable, then try again"
                    ) from error
                if not _is_absence(error):
                    raise
                if "no such table" in _reason(error) or time.monotonic() > until:
                    raise StoreError(
                        f"the database does not answer ({_reason(error)}); try again in a moment"
                    ) from error
            time.sleep(wait_s * (0.5 + random.random()))
            wait_s = min(wait_s * 2, 1.0)

    def close(self) -> None:
        """Give back all connections."""
        self.writer.dispose()
        self.reader.dispose()


_FORMS = "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"


def _sqlite_engine(url: Any, *, write: bool) -> Engine:
    # The pool is the queue of writers: SQLite's own lock has no order, and starves some of many.
    pool: dict[str, Any] = {"poolclass": QueuePool, "pool_size": 1 if write else 8, "max_overflow": 0}
    engine = create_engine(
        url, **pool, pool_timeout=_LOCK_WAIT_S, connect_args={"check_same_thread": False, "timeout": _LOCK_WAIT_S}
    )
    begin = "BEGIN IMMEDIATE" if write else "BEGIN"

    def on_connect(connection: Any, _record: Any) -> None:
        # Python's driver begins transactions by itself and too late; SQLAlchemy's documented way to stop it.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    def on_begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


def _is_unwritable(error: SQLAlchemyError) -> bool:
    """A full, read-only or failing disk: waiting does not help."""
    text = str(getattr(error, "orig", error)).lower()
    return isinstance(error, DBAPIError) and any(words in text for words in _UNWRITABLE)


def _is_absence(error: SQLAlchemyError) -> bool:
    """A restart, a lock, a deadlock; not a value or statement that the database refuses."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, OperationalError | InterfaceError | PoolTimeout)


def _reason(error: SQLAlchemyError) -> str:
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
