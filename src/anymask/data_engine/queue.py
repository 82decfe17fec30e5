"""What to work on next: tasks leased to one person at a time, with a token that only grows.

A lease ends by itself when its holder is silent for too long. Whoever comes later gets a higher token, so that a late
writer is known by the lower one, whatever any clock says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from anymask.data_engine import journal, semi_automatic
from anymask.data_engine.people import Identity
from anymask.data_engine.pictures import ask_embedding, get_picture
from anymask.data_engine.projects import RATE
from anymask.data_engine.tables import ImageRow, MemberRow, PersonRow, ProjectRow, SkipRow, TaskRow
from anymask.errors import LeaseLostError, NotAllowedError, NotThereError, TakenError

ANNOTATE, REVIEW = "annotate", "review"
UPCOMING = 3
"""Pictures named together with a task, which the tool fetches ahead."""
_URGENT, _SOON = 100, 10
_RENEW_SHARE = 0.25
"""A lease is written anew by a save only when this share of it is used up: saves are many."""


@dataclass(frozen=True, slots=True)
class Lease:
    """What a person shows to prove that a task is theirs."""

    task_id: int
    token: int


def next_task(
    session: Session,
    asker: Identity,
    project: ProjectRow,
    now: datetime,
    *,
    kind: str = ANNOTATE,
    resume: bool = True,
    model_sha256: str | None = None,
) -> tuple[TaskRow, list[int]] | None:
    """A task leased to the asker, with the ids of the pictures that come after; None when nothing is left.

    With `resume` the task that the asker holds already comes first. Pictures sent back by a reviewer come before new
    ones, and of those the hardest for the model first, where that was measured; what the asker skipped does not come
    again.

    Raises: NotAllowedError when somebody who is no reviewer asks for reviews, or in a project of kind `rate`.
    """
    _check_kind(asker, kind, project)
    mine = and_(TaskRow.state == "leased", TaskRow.person_id == asker.id)
    task: TaskRow | None = None
    if resume:
        held = select(TaskRow).where(TaskRow.project_id == project.id, TaskRow.kind == kind, mine)
        task = session.scalar(held.order_by(TaskRow.id).limit(1).with_for_update())
        if task is not None:
            task.expires_at = now + _lease_time(project)
    if task is None:
        task = session.scalar(_open(asker, project.id, kind, now).limit(1).with_for_update(skip_locked=True))
        if task is None:
            return None
        _lease(session, task, asker, project, now)
    upcoming = [each.image_id for each in session.scalars(_open(asker, project.id, kind, now).limit(UPCOMING))]
    if model_sha256 is not None:
        ask_embedding(session, get_picture(session, task.image_id), model_sha256, now, _URGENT)
        for image_id in upcoming:
            ask_embedding(session, get_picture(session, image_id), model_sha256, now, _SOON)
        _ask_proposals(session, project, upcoming, model_sha256, now)
    return task, upcoming


def open_task(
    session: Session, asker: Identity, image: ImageRow, project: ProjectRow, now: datetime, *, kind: str = ANNOTATE
) -> TaskRow:
    """The task of one picture, leased to the asker, also when it had ended.

    Raises: TakenError when somebody else holds it, NotAllowedError as `next_task`.
    """
    _check_kind(asker, kind, project)
    # The picture's row is locked first, as by everything that changes its tasks.
    session.execute(select(ImageRow.id).where(ImageRow.id == image.id).with_for_update())
    query = select(TaskRow).where(TaskRow.image_id == image.id, TaskRow.kind == kind).with_for_update()
    task = session.scalar(query)
    if task is None:
        task = TaskRow(project_id=image.project_id, image_id=image.id, kind=kind, state="waiting", token=0)
        session.add(task)
        session.flush()
    held = task.state == "leased" and task.expires_at is not None and task.expires_at >= now
    if held and task.person_id != asker.id:
        holder = session.get(PersonRow, task.person_id)
        name = "somebody else" if holder is None else holder.name
        raise TakenError(f"{name} is working on this picture; take another, or wait until they are done")
    if held:
        task.expires_at = now + _lease_time(project)
    else:
        _lease(session, task, asker, project, now)
    return task


def heartbeat(session: Session, asker: Identity, lease: Lease, now: datetime) -> tuple[TaskRow, int]:
    """The lease begins anew; the task, and how many seconds a lease lasts.

    Raises: NotThereError, LeaseLostError.
    """
    task = _held(session, asker, lease)
    project = session.get_one(ProjectRow, task.project_id)
    task.expires_at = now + _lease_time(project)
    return task, lease_seconds(project)


def finish(session: Session, asker: Identity, lease: Lease, now: datetime) -> TaskRow:
    """The task is done; where the project has reviews, a review task follows. Again: nothing more happens.

    Raises: NotThereError, LeaseLostError.
    """
    task = _get(session, lease.task_id)
    if task.state == "done" and task.token == lease.token and task.person_id == asker.id:
        return task
    _check(task, asker, lease)
    task.state, task.expires_at, task.comment = "done", None, None
    project = session.get_one(ProjectRow, task.project_id)
    if task.kind == ANNOTATE and project.settings.get("review", False):
        _put_back(session, task.image_id, task.project_id, REVIEW, None)
    _note(session, "finish", task, asker, now)
    return task


def skip(session: Session, asker: Identity, lease: Lease, now: datetime, reason: str = "") -> TaskRow:
    """Leave the task to others; when nobody else is left, it is out of the queue.

    Raises: NotThereError, LeaseLostError.
    """
    task = _held(session, asker, lease)
    if session.get(SkipRow, (task.id, asker.id)) is None:
        session.add(SkipRow(task_id=task.id, person_id=asker.id))
        session.flush()
    skipped = select(SkipRow.person_id).where(SkipRow.task_id == task.id)
    members = select(func.count()).select_from(MemberRow).join(PersonRow, PersonRow.id == MemberRow.person_id)
    left = session.scalar(
        members.where(
            MemberRow.project_id == task.project_id, PersonRow.active.is_(True), MemberRow.person_id.not_in(skipped)
        )
    )
    task.state, task.person_id, task.expires_at = "waiting" if left else "skipped", None, None
    _note(session, "skip", task, asker, now, {"reason": reason})
    return task


def release(session: Session, asker: Identity, lease: Lease, now: datetime) -> TaskRow:
    """The task goes back to the queue as it is.

    Raises: NotThereError, LeaseLostError.
    """
    task = _held(session, asker, lease)
    task.state, task.person_id, task.expires_at = "waiting", None, None
    _note(session, "release", task, asker, now)
    return task


def send_back(session: Session, image: ImageRow, comment: str) -> None:
    """The picture waits for an annotator again, before new ones; nobody's skip counts any more."""
    _put_back(session, image.id, image.project_id, ANNOTATE, comment)


def use_lease(session: Session, asker: Identity, image_id: int, lease: Lease, now: datetime) -> datetime:
    """Check that the asker holds this picture, and renew the lease when it has run for a while; when it ends.

    Raises: NotThereError, LeaseLostError for a task of another picture or person, or a token that is not the newest.
    """
    return check_lease(lock_tasks(session, [lease.task_id]).get(lease.task_id), asker, image_id, lease, now)


def lock_tasks(
    session: Session, task_ids: Sequence[int], *, skip_locked: bool = False
) -> dict[int, tuple[TaskRow, int]]:
    """Those tasks that are there, by id, each with the seconds of a lease of its project; their rows stay locked.

    With `skip_locked` those that another transaction holds are left out.
    """
    query = select(TaskRow, ProjectRow.settings).join(ProjectRow, ProjectRow.id == TaskRow.project_id)
    query = query.where(TaskRow.id.in_(task_ids)).order_by(TaskRow.id)
    rows = session.execute(query.with_for_update(of=TaskRow, skip_locked=skip_locked))
    return {task.id: (task, _seconds(settings)) for task, settings in rows}


def check_lease(
    held: tuple[TaskRow, int] | None, asker: Identity, image_id: int, lease: Lease, now: datetime
) -> datetime:
    """The same as `use_lease` for a task of `lock_tasks`."""
    if held is None:
        raise NotThereError(f"there is no task {lease.task_id}; ask for the next one")
    task, seconds = held
    if task.image_id != image_id:
        raise LeaseLostError(f"task {lease.task_id} is of another picture; ask for this picture's task")
    _check(task, asker, lease)
    assert task.expires_at is not None
    whole = timedelta(seconds=seconds)
    if task.expires_at - now < whole * (1 - _RENEW_SHARE):
        task.expires_at = now + whole
    return task.expires_at


def lease_seconds(project: ProjectRow) -> int:
    """How long a lease lasts in this project."""
    return _seconds(project.settings)


def _seconds(settings: dict[str, Any]) -> int:
    return int(settings.get("lease_s", 900))


def _open(asker: Identity, project_id: int, kind: str, now: datetime) -> Select[Any]:
    """Tasks that may be leased, in the order of the queue."""
    free = or_(TaskRow.state == "waiting", and_(TaskRow.state == "leased", TaskRow.expires_at < now))
    skipped = select(SkipRow.task_id).where(SkipRow.person_id == asker.id)
    query = select(TaskRow).where(TaskRow.project_id == project_id, TaskRow.kind == kind, free)
    return query.where(TaskRow.id.not_in(skipped)).order_by(
        TaskRow.comment.is_(None), TaskRow.priority.desc(), TaskRow.id
    )


def _ask_proposals(
    session: Session, project: ProjectRow, image_ids: list[int], model_sha256: str, now: datetime
) -> None:
    """Pictures that come soon get proposals, also those that somebody held when they were to get them."""
    if project.settings.get("stage") != semi_automatic.STAGE:
        return
    detector = semi_automatic.find_detector(session, model_sha256)
    for image_id in image_ids if detector is not None else []:
        assert detector is not None
        semi_automatic.ask_proposals(session, get_picture(session, image_id), detector, now, _SOON)


def _lease(session: Session, task: TaskRow, asker: Identity, project: ProjectRow, now: datetime) -> None:
    task.state, task.person_id, task.token = "leased", asker.id, task.token + 1
    task.expires_at = now + _lease_time(project)
    _note(session, "lease", task, asker, now)


def _put_back(session: Session, image_id: int, project_id: int, kind: str, comment: str | None) -> None:
    task = session.scalar(select(TaskRow).where(TaskRow.image_id == image_id, TaskRow.kind == kind).with_for_update())
    if task is None:
        task = TaskRow(project_id=project_id, image_id=image_id, kind=kind, token=0)
        session.add(task)
    task.state, task.person_id, task.expires_at, task.comment = "waiting", None, None, comment
    task.token += 1
    session.flush()
    for skipped in session.scalars(select(SkipRow).where(SkipRow.task_id == task.id)):
        session.delete(skipped)


def _get(session: Session, task_id: int) -> TaskRow:
    task = session.scalar(select(TaskRow).where(TaskRow.id == task_id).with_for_update())
    if task is None:
        raise NotThereError(f"there is no task {task_id}; ask for the next one")
    return task


def _held(session: Session, asker: Identity, lease: Lease) -> TaskRow:
    task = _get(session, lease.task_id)
    _check(task, asker, lease)
    return task


def _check(task: TaskRow, asker: Identity, lease: Lease) -> None:
    if task.token != lease.token or task.state != "leased" or task.person_id != asker.id:
        what = "went on to somebody else" if task.token > lease.token else f"is {task.state}"
        raise LeaseLostError(
            f"task {task.id} {what} (token {lease.token}, now {task.token}); nothing was changed: open it again"
        )


def _check_kind(asker: Identity, kind: str, project: ProjectRow) -> None:
    if project.kind == RATE:
        raise NotAllowedError(
            "the masks of this project are rated, its pictures are not annotated; open its rating page"
        )
    if kind == REVIEW and not asker.is_reviewer:
        raise NotAllowedError("reviews are for reviewers; ask an admin for that role")


def _lease_time(project: ProjectRow) -> timedelta:
    return timedelta(seconds=lease_seconds(project))


def _note(
    session: Session, kind: str, task: TaskRow, asker: Identity, now: datetime, details: dict[str, str] | None = None
) -> None:
    what = {"task": task.kind, "token": task.token} | (details or {})
    journal.write(session, journal.Entry(kind, now, asker.id, task.project_id, task.image_id, details=what))
