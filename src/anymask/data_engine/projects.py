"""Projects: pictures that belong together, who works on them, and how far they are."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from anymask.data_engine import semi_automatic
from anymask.data_engine.people import Identity, get_person
from anymask.data_engine.tables import ImageRow, MaskRow, MemberRow, ProjectRow, TaskRow
from anymask.errors import NotThereError, TakenError

DEFAULT_INSTRUCTIONS = (
    "Outline any object you could name or point at. Prominent ones first; no class is needed. "
    "Things and their parts both count. Go on to the next picture when an object takes you more than half a minute."
)
"""Source: arXiv 2304.02643, section 4, assisted-manual stage."""

ANNOTATE, CORRECT, RATE = "annotate", "correct", "rate"
"""Kinds of projects: masks are made, automatic masks are put right, masks are rated."""
NOT_YOURS = "there is no such thing, or you are not a member of its project; ask an admin"
"""What somebody is told of a project that is none of their business, whether it is there or not."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How far a project is, in pictures; `masks` are accepted, proposed ones not among them."""

    images: int
    waiting: int
    leased: int
    done: int
    skipped: int
    to_review: int
    masks: int


def add_project(
    session: Session,
    name: str,
    instructions: str | None,
    settings: dict[str, Any],
    owner_id: int,
    now: datetime,
    *,
    kind: str = ANNOTATE,
) -> ProjectRow:
    """A new project with its first member.

    Raises: TakenError when the name is in use.
    """
    _refuse_taken(session, name)
    text = DEFAULT_INSTRUCTIONS if instructions is None else instructions
    row = ProjectRow(name=name, kind=kind, instructions=text, settings=settings, created_at=now)
    session.add(row)
    session.flush()
    session.add(MemberRow(project_id=row.id, person_id=owner_id))
    return row


def change_project(
    session: Session,
    project_id: int,
    *,
    name: str | None,
    instructions: str | None,
    settings: dict[str, Any] | None,
    now: datetime,
) -> ProjectRow:
    """Change what is given. A project that enters the semi-automatic stage gets proposals, where a detector is in use.

    Raises: NotThereError, TakenError when the name is in use.
    """
    row = get_project(session, project_id)
    if name is not None and name != row.name:
        _refuse_taken(session, name)
        row.name = name
    if instructions is not None:
        row.instructions = instructions
    if settings is not None:
        is_new_stage = row.settings.get("stage") != settings.get("stage")
        row.settings = settings
        if is_new_stage and settings.get("stage") == semi_automatic.STAGE:
            semi_automatic.ask_all_proposals(session, project_id, now=now)
    return row


def get_project(session: Session, project_id: int) -> ProjectRow:
    """One project.

    Raises: NotThereError.
    """
    row = session.get(ProjectRow, project_id)
    if row is None:
        raise NotThereError(f"there is no project {project_id}; list them to see which are there")
    return row


def list_projects(session: Session, asker: Identity) -> list[ProjectRow]:
    """Those of which the asker is a member, for admins all, by name."""
    query = select(ProjectRow).order_by(ProjectRow.name)
    if not asker.is_admin:
        query = query.join(MemberRow).where(MemberRow.person_id == asker.id)
    return list(session.scalars(query))


def is_member(session: Session, project_id: int, person_id: int) -> bool:
    """Whether the person works on it."""
    return session.get(MemberRow, (project_id, person_id)) is not None


def find_members(session: Session, person_ids: Collection[int]) -> set[tuple[int, int]]:
    """(project, person) of all projects that these people work on."""
    rows = session.execute(select(MemberRow.project_id, MemberRow.person_id).where(MemberRow.person_id.in_(person_ids)))
    return {(project_id, person_id) for project_id, person_id in rows}


def add_member(session: Session, project_id: int, person_id: int) -> None:
    """Let the person work on it; nothing when they do already.

    Raises: NotThereError.
    """
    get_project(session, project_id)
    get_person(session, person_id)
    if not is_member(session, project_id, person_id):
        session.add(MemberRow(project_id=project_id, person_id=person_id))


def remove_member(session: Session, project_id: int, person_id: int) -> None:
    """End that; the tasks they hold go back to the queue, and their tokens are worth nothing any more."""
    get_project(session, project_id)
    session.execute(delete(MemberRow).where(MemberRow.project_id == project_id, MemberRow.person_id == person_id))
    held = (TaskRow.project_id == project_id, TaskRow.person_id == person_id, TaskRow.state == "leased")
    change = update(TaskRow).where(*held)
    session.execute(change.values(state="waiting", person_id=None, expires_at=None, token=TaskRow.token + 1))


def count(session: Session, project_ids: Iterable[int]) -> dict[int, Counts]:
    """How far each project is."""
    ids = list(project_ids)
    images = _by_project(session, select(ImageRow.project_id, func.count()).group_by(ImageRow.project_id), ids)
    kept = (MaskRow.deleted.is_(False), MaskRow.state == "accepted")
    per_mask = select(ImageRow.project_id, func.count()).join(MaskRow, MaskRow.image_id == ImageRow.id).where(*kept)
    masks = _by_project(session, per_mask.group_by(ImageRow.project_id), ids)
    states: dict[tuple[int, str, str], int] = {}
    query = select(TaskRow.project_id, TaskRow.kind, TaskRow.state, func.count()).where(TaskRow.project_id.in_(ids))
    for project, kind, state, number in session.execute(
        query.group_by(TaskRow.project_id, TaskRow.kind, TaskRow.state)
    ):
        states[project, kind, state] = number
    return {
        each: Counts(
            images=images.get(each, 0),
            waiting=states.get((each, "annotate", "waiting"), 0),
            leased=states.get((each, "annotate", "leased"), 0),
            done=states.get((each, "annotate", "done"), 0),
            skipped=states.get((each, "annotate", "skipped"), 0),
            to_review=sum(states.get((each, "review", state), 0) for state in ("waiting", "leased")),
            masks=masks.get(each, 0),
        )
        for each in ids
    }


def _by_project(session: Session, query: Any, ids: list[int]) -> dict[int, int]:
    return {row[0]: row[1] for row in session.execute(query.where(ImageRow.project_id.in_(ids)))}


def _refuse_taken(session: Session, name: str) -> None:
    if session.scalar(select(ProjectRow.id).where(ProjectRow.name == name)) is not None:
        raise TakenError(f"there is a project called {name!r} already; choose another name")
