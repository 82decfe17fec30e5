"""Ratings of masks by people who do not know whose masks they are: what comes next, a rating given, one taken back.

Everybody goes through the masks in an order of their own, drawn once. Ratings are entries that are added and never
changed; of several entries about one mask by one person the newest counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from anymask.data_engine.people import Identity
from anymask.data_engine.tables import ImageRow, PersonRow, RatingItemRow, RatingRow, RatingStudyRow
from anymask.errors import InputError, NotThereError, TakenError
from anymask.evaluation.rating.guide import HIGHEST, LOWEST
from anymask.evaluation.rating.statistics import Rating

RATE, WITHDRAW = "rate", "withdraw"
UPCOMING = 2
"""Masks after the one shown whose pictures are named, so that the page can fetch them ahead."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One mask on its picture."""

    item: RatingItemRow
    image: ImageRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How far one person is."""

    done: int
    """Masks that they have rated."""
    total: int
    """Masks that they have rated or may rate still."""
    shown: Shown | None
    """What they are to rate now; None when nothing is left."""
    upcoming: list[ImageRow]
    """Pictures of the masks after it."""
    undoable: int | None
    """The item whose rating they may take back: the last they gave."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RaterProgress:
    """How far one of several people is."""

    person_id: int
    name: str
    rated: int
    median_s: float | None


def get_study(session: Session, project_id: int) -> RatingStudyRow:
    """The study of a project.

    Raises: InputError when its masks are not for rating.
    """
    row = session.get(RatingStudyRow, project_id)
    if row is None:
        raise InputError(f"project {project_id} is no rating study; its pictures are annotated, not rated")
    return row


def standing(session: Session, asker: Identity, project_id: int) -> Standing:
    """How far the asker is, and what comes next.

    Raises: InputError as `get_study`.
    """
    study = get_study(session, project_id)
    own = set(session.scalars(_rated(project_id, asker.id)))
    last = session.scalar(_entries(project_id, asker.id).order_by(RatingRow.seq.desc()).limit(1))
    closed = own | _full(session, study, asker.id)
    places = (place for place in order(study.order_seed, asker.id, study.items) if place not in closed)
    next_places = list(islice(places, 1 + UPCOMING))
    left = study.items - len(closed)
    if last is not None and last.kind == WITHDRAW:
        # What was taken back is rated anew first, whoever else has rated it meanwhile.
        place = session.get_one(RatingItemRow, last.item_id).position
        left += place in closed
        next_places = [place, *(other for other in next_places if other != place)][: 1 + UPCOMING]
    near = [_shown(session, project_id, place) for place in next_places]
    return Standing(
        done=len(own),
        total=len(own) + left,
        shown=near[0] if near else None,
        upcoming=[one.image for one in near[1:]],
        undoable=None if last is None or last.kind == WITHDRAW else last.item_id,
    )


def rate(
    session: Session,
    asker: Identity,
    project_id: int,
    *,
    item_id: int,
    score: int,
    active_ms: int,
    key: str,
    now: datetime,
) -> None:
    """Note a rating; the same `key` again notes nothing more.

    Raises: NotThereError, InputError for a score that is none, TakenError when the asker has rated this mask already,
    or the key was used for something else.
    """
    if not LOWEST <= score <= HIGHEST:
        raise InputError(f"the rating is {score}, expected {LOWEST} to {HIGHEST}")
    _check_item(session, project_id, item_id)
    if _is_repeated(session, asker, item_id, RATE, score, key):
        return
    if session.get_one(RatingItemRow, item_id).position in set(session.scalars(_rated(project_id, asker.id))):
        raise TakenError("you have rated this mask already (in another window?); load the page again to go on")
    row = _row(asker, project_id, item_id, RATE, now, key)
    row.score, row.active_ms = score, active_ms
    session.add(row)
    session.flush()


def undo(session: Session, asker: Identity, project_id: int, *, item_id: int, key: str, now: datetime) -> None:
    """Take back the rating that the asker gave last, which must be of this item; the same `key` again does nothing.

    Raises: NotThereError, TakenError when the last rating is of another mask.
    """
    _check_item(session, project_id, item_id)
    if _is_repeated(session, asker, item_id, WITHDRAW, None, key):
        return
    last = session.scalar(_entries(project_id, asker.id).order_by(RatingRow.seq.desc()).limit(1))
    if last is None or last.kind != RATE or last.item_id != item_id:
        raise TakenError("that is not the rating you gave last; load the page again to go on")
    session.add(_row(asker, project_id, item_id, WITHDRAW, now, key))
    session.flush()


def progress(session: Session, project_id: int) -> list[RaterProgress]:
    """How far everybody is who has rated anything, by name; no rating is told.

    Raises: InputError as `get_study`.
    """
    get_study(session, project_id)
    rows = _counting(session, project_id)
    found = []
    for person in session.scalars(select(PersonRow).order_by(PersonRow.name)):
        times = [row.active_ms / 1000 for row in rows if row.person_id == person.id]
        if times:
            median = float(np.median(times))
            found.append(RaterProgress(person_id=person.id, name=person.name, rated=len(times), median_s=median))
    return found


def collect(session: Session, project_id: int) -> list[Rating]:
    """Every rating that counts, with its column, in the order they were given.

    Raises: InputError as `get_study`.
    """
    get_study(session, project_id)
    people = {row.id: row.name for row in session.scalars(select(PersonRow))}
    items = {
        row.id: row for row in session.scalars(select(RatingItemRow).where(RatingItemRow.project_id == project_id))
    }
    found = []
    for row in _counting(session, project_id):
        item = items[row.item_id]
        assert row.score is not None
        found.append(
            Rating(
                rater=people[row.person_id],
                column=item.column_name,
                set_name=item.set_name,
                picture=item.target.rpartition("#")[0],
                target=item.target,
                score=row.score,
                seconds=row.active_ms / 1000,
                at=row.at.isoformat(),
            )
        )
    return found


@lru_cache(maxsize=256)
def order(seed: int, person_id: int, count: int) -> tuple[int, ...]:
    """Positions 0 to `count` - 1 in this person's own order, each order as likely as any other.

    >>> sorted(order(1, 7, 5)) == [0, 1, 2, 3, 4] and order(1, 7, 5) == order(1, 7, 5)
    True
    """
    return tuple(int(place) for place in np.random.default_rng([seed, person_id]).permutation(count))


def _entries(project_id: int, person_id: int) -> Select[Any]:
    return select(RatingRow).where(RatingRow.project_id == project_id, RatingRow.person_id == person_id)


def _newest(project_id: int, person_id: int | None) -> Select[Any]:
    """Numbers of the newest entry of each person (or of one) about each mask."""
    newest = select(func.max(RatingRow.seq)).where(RatingRow.project_id == project_id)
    if person_id is not None:
        newest = newest.where(RatingRow.person_id == person_id)
    return newest.group_by(RatingRow.item_id, RatingRow.person_id)


def _rated(project_id: int, person_id: int) -> Select[Any]:
    """Positions of the masks that a person has rated."""
    query = select(RatingItemRow.position).join(RatingRow, RatingRow.item_id == RatingItemRow.id)
    return query.where(RatingRow.seq.in_(_newest(project_id, person_id)), RatingRow.kind == RATE)


def _counting(session: Session, project_id: int) -> Sequence[RatingRow]:
    """Every rating that counts, in order."""
    query = select(RatingRow).where(RatingRow.seq.in_(_newest(project_id, None)), RatingRow.kind == RATE)
    return session.scalars(query.order_by(RatingRow.seq)).all()


def _full(session: Session, study: RatingStudyRow, person_id: int) -> set[int]:
    """Positions of the masks that enough others have rated."""
    if study.ratings_per_mask is None:
        return set()
    query = select(RatingItemRow.position).join(RatingRow, RatingRow.item_id == RatingItemRow.id)
    query = query.where(RatingRow.seq.in_(_newest(study.project_id, None)), RatingRow.kind == RATE)
    query = query.where(RatingRow.person_id != person_id).group_by(RatingItemRow.position)
    return set(session.scalars(query.having(func.count() >= study.ratings_per_mask)))


def _shown(session: Session, project_id: int, place: int) -> Shown:
    query = select(RatingItemRow).where(RatingItemRow.project_id == project_id, RatingItemRow.position == place)
    item = session.scalars(query).one()
    return Shown(item, session.get_one(ImageRow, item.image_id))


def _check_item(session: Session, project_id: int, item_id: int) -> None:
    item = session.get(RatingItemRow, item_id)
    if item is None or item.project_id != project_id:
        raise NotThereError(f"there is no mask {item_id} in this study; load the page again")


def _is_repeated(session: Session, asker: Identity, item_id: int, kind: str, score: int | None, key: str) -> bool:
    row = session.scalar(select(RatingRow).where(RatingRow.key == key))
    if row is None:
        return False
    if (row.person_id, row.item_id, row.kind, row.score) != (asker.id, item_id, kind, score):
        raise TakenError("this key was used for another rating; make a new key for each")
    return True


def _row(asker: Identity, project_id: int, item_id: int, kind: str, now: datetime, key: str) -> RatingRow:
    return RatingRow(
        at=now, project_id=project_id, item_id=item_id, person_id=asker.id, kind=kind, score=None, active_ms=0, key=key
    )
