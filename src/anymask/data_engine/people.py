"""Who works here: people, roles, passwords, sessions, and how often a password may be tried."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from anymask.data_engine import journal
from anymask.data_engine.store import Database
from anymask.data_engine.tables import MemberRow, PersonRow, SessionRow, SignInTryRow
from anymask.errors import InputError, NotThereError, SignInError, TakenError, TooManyTriesError

ROLES = ("annotator", "reviewer", "admin")
"""Each may all that the one before may."""
TRIES_A_MINUTE = 5
SESSION_LASTS = timedelta(days=7)
SHORTEST_PASSWORD = 10
SESSION_ENDED = "the session has ended; sign in again, nothing that was saved is lost"
ALONE = "me"
"""The person who works alone on one's own machine."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks."""

    id: int
    name: str
    role: str

    @property
    def is_admin(self) -> bool:
        """May all."""
        return self.role == "admin"

    @property
    def is_reviewer(self) -> bool:
        """May review, and change masks without a lease."""
        return self.role in ("reviewer", "admin")


def add_person(session: Session, name: str, role: str, password: str | None, now: datetime) -> PersonRow:
    """A new person; without a password nobody can sign in as them.

    Raises: TakenError when the name is in use, InputError for a short password or unknown role.
    """
    if role not in ROLES:
        raise InputError(f"the role is {role!r}, expected one of {', '.join(ROLES)}")
    if session.scalar(select(PersonRow.id).where(PersonRow.name == name)) is not None:
        raise TakenError(f"there is a person called {name!r} already; choose another name")
    row = PersonRow(name=name, role=role, password_hash=_hash(password), active=True, created_at=now)
    session.add(row)
    session.flush()
    return row


def change_person(
    session: Session,
    person_id: int,
    *,
    role: str | None = None,
    password: str | None = None,
    active: bool | None = None,
) -> PersonRow:
    """Change what is given; a new password or an end to the activity ends the person's sessions.

    Raises: NotThereError, TakenError when it would leave no active admin.
    """
    row = get_person(session, person_id)
    stays_admin = (role or row.role) == "admin" and (row.active if active is None else active)
    if row.role == "admin" and row.active and not stays_admin and _other_admins(session, person_id) == 0:
        raise TakenError(f"{row.name!r} is the only admin; make somebody else admin first")
    if role is not None:
        row.role = role
    if password is not None:
        row.password_hash = _hash(password)
    if active is not None:
        row.active = active
    if password is not None or active is False:
        end_sessions(session, person_id)
    return row


def get_person(session: Session, person_id: int) -> PersonRow:
    """One person.

    Raises: NotThereError.
    """
    row = session.get(PersonRow, person_id)
    if row is None:
        raise NotThereError(f"there is no person {person_id}; list them to see who is there")
    return row


def list_people(session: Session, project_id: int | None = None) -> list[PersonRow]:
    """Everybody, or the members of a project, by name."""
    query = select(PersonRow).order_by(PersonRow.name)
    if project_id is not None:
        query = query.join(MemberRow).where(MemberRow.project_id == project_id)
    return list(session.scalars(query))


def person_alone(session: Session, now: datetime) -> PersonRow:
    """The admin without a password who works alone."""
    row = session.scalar(select(PersonRow).where(PersonRow.name == ALONE))
    return row or add_person(session, ALONE, "admin", None, now)


def has_admin_with_password(session: Session) -> bool:
    """Whether anybody could sign in as admin."""
    query = select(PersonRow.id).where(
        PersonRow.role == "admin", PersonRow.active.is_(True), PersonRow.password_hash.is_not(None)
    )
    return session.scalars(query.limit(1)).first() is not None


def sign_in(database: Database, name: str, password: str, address: str) -> tuple[str, Identity]:
    """A new session's token, for the cookie; it is kept as its hash only. Older sessions stay.

    Raises: TooManyTriesError after five wrong tries in a minute for one name or from one address, SignInError.
    """
    now = database.clock()
    keys = (f"name:{name}", f"from:{address[:200]}")
    stored = database.write(lambda session: _count_try(session, name, keys, now))
    if not _verify(stored[1], password) or stored[0] is None:
        raise SignInError("name and password do not fit; check both, or ask an admin for a new password")
    identity = stored[0]

    def begin(session: Session) -> str:
        session.execute(delete(SignInTryRow).where(SignInTryRow.what.in_(keys)))
        journal.write(session, journal.Entry("sign_in", now, identity.id))
        return begin_session(session, identity.id, now)

    return database.write(begin), identity


def begin_session(session: Session, person_id: int, now: datetime) -> str:
    """A token that `identify` knows from now on."""
    token = secrets.token_urlsafe(32)
    session.execute(delete(SessionRow).where(SessionRow.expires_at < now))
    expires = now + SESSION_LASTS
    session.add(SessionRow(token_sha256=hash_token(token), person_id=person_id, created_at=now, expires_at=expires))
    return token


def identify(session: Session, token: str, now: datetime) -> Identity | None:
    """Whose session it is; None when it has ended, or the person is no longer active."""
    return identify_all(session, [token], now).get(token)


def identify_all(session: Session, tokens: Collection[str], now: datetime) -> dict[str, Identity]:
    """The same for several tokens, by token; those that have ended are left out."""
    hashes = {hash_token(token): token for token in tokens}
    query = (
        select(SessionRow.token_sha256, PersonRow.id, PersonRow.name, PersonRow.role)
        .join(PersonRow, PersonRow.id == SessionRow.person_id)
        .where(SessionRow.token_sha256.in_(hashes), SessionRow.expires_at > now, PersonRow.active.is_(True))
    )
    return {hashes[sha256]: Identity(number, name, role) for sha256, number, name, role in session.execute(query)}


def end_session(session: Session, token: str) -> None:
    """The token is of no use afterwards."""
    session.execute(delete(SessionRow).where(SessionRow.token_sha256 == hash_token(token)))


def end_sessions(session: Session, person_id: int) -> None:
    """All of a person's."""
    session.execute(delete(SessionRow).where(SessionRow.person_id == person_id))


def hash_token(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def _count_try(session: Session, name: str, keys: tuple[str, ...], now: datetime) -> tuple[Identity | None, str | None]:
    """Note one more try; who is meant, and the hash of their password."""
    since = now - timedelta(minutes=1)
    session.execute(delete(SignInTryRow).where(SignInTryRow.at <= since))
    for key in keys:
        tries = session.scalar(select(func.count()).where(SignInTryRow.what == key))
        if (tries or 0) >= TRIES_A_MINUTE:
            raise TooManyTriesError(
                f"more than {TRIES_A_MINUTE} wrong tries in a minute; wait a minute, then try again"
            )
    session.add_all(SignInTryRow(what=key, at=now) for key in keys)
    row = session.scalar(select(PersonRow).where(PersonRow.name == name, PersonRow.active.is_(True)))
    return (None, None) if row is None else (Identity(row.id, row.name, row.role), row.password_hash)


def _other_admins(session: Session, person_id: int) -> int:
    query = select(func.count()).where(PersonRow.role == "admin", PersonRow.active.is_(True), PersonRow.id != person_id)
    return session.scalar(query) or 0


def _hash(password: str | None) -> str | None:
    if password is None:
        return None
    if len(password) < SHORTEST_PASSWORD:
        raise InputError(f"the password has {len(password)} characters, expected at least {SHORTEST_PASSWORD}")
    return PasswordHasher().hash(password)


@cache
def _hash_of_nobody() -> str:
    return PasswordHasher().hash(secrets.token_urlsafe(16))


def _verify(stored: str | None, password: str) -> bool:
    """Takes as long for a person who is not there."""
    try:
        return PasswordHasher().verify(stored or _hash_of_nobody(), password) and stored is not None
    except (Argon2Error, InvalidHashError):
        return False
