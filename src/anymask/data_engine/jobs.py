"""Work of the server's own workers, leased in the database: it survives their death, and what kills them is set aside.

A worker holds a job by its token and renews the lease while it works. A job whose lease ran out is taken by another
worker; after three tries that came no further it is set aside, with what is known of the reason. A long import outlives
any number of deaths of its workers, by other jobs or machines, as long as it gets on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from anymask.data_engine.tables import JobRow
from anymask.errors import LeaseLostError, NotThereError, TakenError

LEASE = timedelta(seconds=30)
"""How long a job stays a silent worker's: well under the minute in which it must be on its way again."""
MOST_TRIES = 3
MOST_PROBLEMS = 200
_FURTHEST = "furthest"
"""In a job's progress: the most that any worker had done."""


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job as a worker holds it."""

    id: int
    kind: str
    token: int
    attempts: int
    project_id: int | None
    payload: dict[str, Any]
    progress: dict[str, Any] = field(default_factory=dict)
    """What the worker before noted, to go on from."""


def add_job(
    session: Session,
    kind: str,
    subject: str,
    payload: dict[str, Any],
    now: datetime,
    *,
    project_id: int | None = None,
    priority: int = 0,
) -> JobRow:
    """A new job, or the one there is already for this kind and subject."""
    row = session.scalar(select(JobRow).where(JobRow.kind == kind, JobRow.subject == subject))
    if row is None:
        row = JobRow(
            project_id=project_id,
            kind=kind,
            subject=subject,
            state="waiting",
            priority=priority,
            attempts=0,
            token=0,
            expires_at=None,
            payload=payload,
            progress={},
            done=0,
            total=None,
            message="",
            problems=[],
            result_key=None,
            created_at=now,
            started_at=None,
            updated_at=now,
        )
        session.add(row)
        session.flush()
    return row


def take_job(session: Session, kinds: Sequence[str], now: datetime) -> HeldJob | None:
    """The most urgent job of these kinds, leased; None when there is none. Sets aside what was tried too often."""
    lost = and_(JobRow.state == "running", JobRow.expires_at < now)
    set_aside = update(JobRow).where(JobRow.kind.in_(kinds), lost, JobRow.attempts >= MOST_TRIES)
    message = f"each of {MOST_TRIES} workers that tried it ended; it was set aside"
    session.execute(set_aside.values(state="set_aside", message=message, expires_at=None, updated_at=now))
    query = select(JobRow).where(JobRow.kind.in_(kinds), or_(JobRow.state == "waiting", lost))
    order = query.order_by(JobRow.priority.desc(), JobRow.id).limit(1)
    row = session.scalar(order.with_for_update(skip_locked=True))
    if row is None:
        return None
    row.state, row.attempts, row.token = "running", row.attempts + 1, row.token + 1
    row.expires_at, row.updated_at = now + LEASE, now
    row.started_at = row.started_at or now
    progress = {name: value for name, value in row.progress.items() if name != _FURTHEST}
    return HeldJob(row.id, row.kind, row.token, row.attempts, row.project_id, row.payload, progress)


def renew(session: Session, held: HeldJob, now: datetime) -> datetime:
    """The worker lives; when it last reported progress.

    Raises: LeaseLostError when the job went on to another, or was cancelled.
    """
    row = _held(session, held)
    row.expires_at = now + LEASE
    return row.updated_at


def report(
    session: Session,
    held: HeldJob,
    now: datetime,
    *,
    done: int,
    total: int | None,
    message: str = "",
    problems: Sequence[str] = (),
    progress: dict[str, Any] | None = None,
) -> None:
    """How far it is, and where to go on from; renews the lease. Further than ever, it has all its other tries again.

    Raises: LeaseLostError as `renew`.
    """
    row = _held(session, held)
    row.done, row.total, row.message = done, total, message
    row.problems = list(problems)[:MOST_PROBLEMS]
    row.expires_at, row.updated_at = now + LEASE, now
    furthest = int(row.progress.get(_FURTHEST, 0))
    if done > furthest:
        row.attempts = 1
    if progress is not None or done > furthest:
        row.progress = {**(row.progress if progress is None else progress), _FURTHEST: max(done, furthest)}


def finish(session: Session, held: HeldJob, now: datetime, *, result_key: str | None = None) -> None:
    """It is done.

    Raises: LeaseLostError as `renew`.
    """
    row = _held(session, held)
    row.state, row.expires_at, row.updated_at, row.result_key = "done", None, now, result_key


def fail(session: Session, held: HeldJob, now: datetime, reason: str, *, for_good: bool = False) -> None:
    """This try ended with `reason`: the job waits for another, or is set aside after the third or when it cannot work.

    Raises: LeaseLostError as `renew`.
    """
    row = _held(session, held)
    row.state = "set_aside" if for_good or row.attempts >= MOST_TRIES else "waiting"
    row.message, row.expires_at, row.updated_at = reason, None, now


def hand_back(session: Session, held: HeldJob, now: datetime) -> None:
    """Its worker ends for another reason: the job waits for the next one, and this was no try.

    Raises: LeaseLostError as `renew`.
    """
    row = _held(session, held)
    row.state, row.expires_at, row.updated_at, row.attempts = "waiting", None, now, row.attempts - 1


def cancel(session: Session, job_id: int, now: datetime) -> JobRow:
    """It stops, at its worker's next sign of life.

    Raises: NotThereError, TakenError when it has ended already.
    """
    row = get_job(session, job_id, lock=True)
    if row.state not in ("waiting", "running"):
        raise TakenError(f"job {job_id} has ended ({row.state}); there is nothing to cancel")
    row.state, row.expires_at, row.token, row.updated_at = "cancelled", None, row.token + 1, now
    return row


def retry(session: Session, job_id: int, now: datetime) -> JobRow:
    """Three more tries for what was set aside or cancelled; it goes on where it was.

    Raises: NotThereError, TakenError for a job in another state.
    """
    row = get_job(session, job_id, lock=True)
    if row.state not in ("set_aside", "cancelled"):
        raise TakenError(f"job {job_id} is {row.state}; only what was set aside or cancelled can be tried again")
    row.state, row.attempts, row.message, row.updated_at = "waiting", 0, "", now
    return row


def get_job(session: Session, job_id: int, *, lock: bool = False) -> JobRow:
    """One job.

    Raises: NotThereError.
    """
    query = select(JobRow).where(JobRow.id == job_id)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotThereError(f"there is no job {job_id}; list the project's jobs")
    return row


def list_jobs(session: Session, project_id: int) -> list[JobRow]:
    """The project's imports and exports, and what was set aside of its pictures' jobs, newest first; at most 200."""
    shown = or_(JobRow.kind.not_in(("embed", "propose")), JobRow.state == "set_aside")
    query = select(JobRow).where(JobRow.project_id == project_id, shown).order_by(JobRow.id.desc())
    return list(session.scalars(query.limit(200)))


def _held(session: Session, held: HeldJob) -> JobRow:
    row = get_job(session, held.id, lock=True)
    if row.state != "running" or row.token != held.token:
        raise LeaseLostError(f"job {held.id} is no longer this worker's ({row.state}); leave it")
    return row
