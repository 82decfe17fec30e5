"""What people did, in order, for ever: entries are added and read; the database itself refuses anything else."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from anymask.data_engine.tables import JournalRow


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing somebody did."""

    kind: str
    at: datetime
    person_id: int | None
    project_id: int | None = None
    image_id: int | None = None
    mask_id: str | None = None
    version: int | None = None
    key: str | None = None
    """The idempotency key of an action: a second entry with it cannot be written."""
    details: dict[str, Any] = field(default_factory=dict)


def write(session: Session, entry: Entry) -> None:
    """Add `entry`, in the transaction of what it tells of: both are there, or neither."""
    session.add(JournalRow(**asdict(entry)))


def write_all(session: Session, entries: Sequence[Entry]) -> None:
    """Add `entries`, which may be none, in order; the same as `write` with one statement for all."""
    if entries:
        session.execute(insert(JournalRow), [asdict(entry) for entry in entries])


def read(
    session: Session, project_id: int, *, after: int = 0, limit: int = 200, image_id: int | None = None
) -> list[JournalRow]:
    """At most `limit` entries of a project (or of one of its pictures) whose number is above `after`, in order."""
    query = select(JournalRow).where(JournalRow.project_id == project_id, JournalRow.seq > after)
    if image_id is not None:
        query = query.where(JournalRow.image_id == image_id)
    return list(session.scalars(query.order_by(JournalRow.seq).limit(limit)))


def find_digests(session: Session, keys: Collection[str]) -> dict[str, str]:
    """What was noted as `digest` of the actions with these idempotency keys, by key."""
    rows = session.execute(select(JournalRow.key, JournalRow.details).where(JournalRow.key.in_(keys)))
    return {str(key): str(details.get("digest")) for key, details in rows}
