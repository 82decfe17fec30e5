"""Saves of many people at once: those that wait together go into one transaction, and each is answered for itself.

A commit waits for the disk, and each transaction has statements of its own that all saves share. So while one group is
stored the next one gathers, and grows just as large as the machine is slow. Nobody is answered before the commit that
holds their save. A save that the database refuses is stored again alone, and so are the others of its group: none fails
because of another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from sqlalchemy import select
from sqlalchemy.orm import Session

from anymask.data_engine import assisted, people, projects, queue
from anymask.data_engine.assisted import Answer, Batch, Change
from anymask.data_engine.people import Identity
from anymask.data_engine.store import Database
from anymask.data_engine.tables import ImageRow, ProjectRow
from anymask.errors import AnymaskError, NotThereError, NotWritableError, SignInError, StoreError

_MOST = 64
"""Saves in one transaction."""
_THREADS = 8
"""One stores groups; the others store what must wait for a row that another transaction holds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Save:
    """What a browser sent for one picture."""

    token: str
    """Of the session it came with; whose it is, and whether it has ended, is looked up in the same transaction."""
    image_id: int
    lease: queue.Lease | None
    changes: Sequence[Change]


Waiting = tuple[Save, "Future[Answer]"]


class Saver:
    """Stores saves in groups. Safe to share among threads."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._waiting: deque[Waiting] = deque()
        self._lock = Lock()
        self._is_storing = False
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="save")

    def submit(self, save: Save) -> Future[Answer]:
        """What became of `save`, once it is on disk.

        Its errors: SignInError for a session that has ended, NotThereError, NotAllowedError, LeaseLostError,
        StoreError, NotWritableError.
        """
        future: Future[Answer] = Future()
        with self._lock:
            self._waiting.append((save, future))
            begin, self._is_storing = not self._is_storing, True
        if begin:
            self._pool.submit(self._store_all)
        return future

    def close(self) -> None:
        """Wait for what is being stored."""
        self._pool.shutdown()

    def _store_all(self) -> None:
        while group := self._next_group():
            self._store(group, is_group=True)

    def _next_group(self) -> list[Waiting]:
        """Those that came first, of each picture one: the second is to find what the first one did."""
        group: dict[int, Waiting] = {}
        later: list[Waiting] = []
        with self._lock:
            while self._waiting and len(group) < _MOST:
                each = self._waiting.popleft()
                if each[0].image_id in group:
                    later.append(each)
                elif each[1].set_running_or_notify_cancel():  # not when the browser went away meanwhile
                    group[each[0].image_id] = each
            self._waiting.extendleft(reversed(later))
            self._is_storing = bool(group)
        return list(group.values())

    def _store(self, group: list[Waiting], *, is_group: bool) -> None:
        saves = [save for save, _ in group]
        try:
            answers = self.database.write(
                lambda session: store(session, saves, self.database.clock(), skip_locked=is_group)
            )
        except StoreError as error:
            # A database that is away is so for all; one save may be too large for what is left of a disk.
            is_all = not is_group or not isinstance(error, NotWritableError)
            answers = [error if is_all else None] * len(group)
        except Exception as error:
            if not is_group:
                group[0][1].set_exception(error)
                return
            answers = [None] * len(group)
        for each, answer in zip(group, answers, strict=True):
            if answer is None:
                self._pool.submit(self._store, [each], is_group=False)
            elif isinstance(answer, AnymaskError):
                each[1].set_exception(answer)
            else:
                each[1].set_result(answer)


def store(
    session: Session, saves: Sequence[Save], now: datetime, *, skip_locked: bool
) -> list[Answer | AnymaskError | None]:
    """What became of each of `saves`, all of different pictures.

    With `skip_locked` it is None for one whose picture or task is not there or held by another transaction.
    """
    askers = people.identify_all(session, {save.token for save in saves}, now)
    others = [asker.id for asker in askers.values() if not asker.is_admin]
    members = projects.find_members(session, others) if others else set()
    images = _lock_images(session, [save.image_id for save in saves], skip_locked=skip_locked)
    answers: dict[int, Answer | AnymaskError | None] = {}
    batches: list[Batch] = []
    for save in saves:
        asker, found = askers.get(save.token), images.get(save.image_id)
        problem = _refusal(save, asker, found, members)
        if found is None and skip_locked:
            answers[save.image_id] = None
        elif problem is not None:
            answers[save.image_id] = problem
        else:
            assert asker is not None
            assert found is not None
            image, stage = found
            batches.append(Batch(asker=asker, image=image, stage=stage, lease=save.lease, changes=save.changes))
    done = assisted.apply(session, batches, now, skip_locked=skip_locked)
    answers |= {batch.image.id: answer for batch, answer in zip(batches, done, strict=True)}
    return [answers[save.image_id] for save in saves]


def _lock_images(session: Session, image_ids: list[int], *, skip_locked: bool) -> dict[int, tuple[ImageRow, str]]:
    """Those pictures, in order of their ids, as everywhere, each with the stage of its project."""
    query = select(ImageRow, ProjectRow.settings).join(ProjectRow, ProjectRow.id == ImageRow.project_id)
    query = query.where(ImageRow.id.in_(image_ids)).order_by(ImageRow.id)
    rows = session.execute(query.with_for_update(of=ImageRow, skip_locked=skip_locked))
    return {image.id: (image, str(settings.get("stage", "assisted"))) for image, settings in rows}


def _refusal(
    save: Save, asker: Identity | None, found: tuple[ImageRow, str] | None, members: set[tuple[int, int]]
) -> AnymaskError | None:
    if asker is None:
        return SignInError(people.SESSION_ENDED)
    if not asker.is_admin and (found is None or (found[0].project_id, asker.id) not in members):
        return NotThereError(projects.NOT_YOURS)
    if found is None:
        return NotThereError(f"there is no picture {save.image_id}; list the project's pictures")
    return None
