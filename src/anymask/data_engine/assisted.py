"""Stage 1 of the data engine: a person makes masks with the model's help, one action after the other.

Actions come in order and each carries a key of its own, so that a tool may send them again until they are acknowledged.
Each names the version of the mask that the person saw; when somebody else changed it meanwhile nothing is overwritten:
the person gets both versions. Source: arXiv 2304.02643, section 4, assisted-manual stage; the rest is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from anymask.data_engine import journal, queue
from anymask.data_engine.mask_rows import (
    ACCEPTED,
    MODEL,
    PERSON,
    PROPOSED,
    REJECTED,
    CheckedMask,
    Maker,
    keep_version,
    make_mask,
    replace_mask,
)
from anymask.data_engine.people import Identity
from anymask.data_engine.tables import ImageRow, MaskRow, TaskRow
from anymask.errors import AnymaskError, MaskError, NotAllowedError
from anymask.masks.validate import check_expected_size

ChangeKind = Literal["create", "replace", "relabel", "delete", "restore", "accept", "reject", "undecide"]
Outcome = Literal["applied", "repeated", "conflict", "refused", "not_tried"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One action, checked as far as it can be without the database."""

    key: str
    kind: ChangeKind
    mask_id: str
    base_version: int | None
    mask: CheckedMask | None
    label: str | None
    at: datetime
    """When the person did it, by their clock."""
    digest: str
    """Of all that was sent, to tell a repeated action from another one with the same key."""
    problem: str | None = None
    """Why it is refused, when that is known already."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What became of one action."""

    key: str
    outcome: Outcome
    mask: MaskRow | None = None
    """As it is now; in a conflict the version that is stored."""
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of all of them."""

    image: ImageRow
    results: list[Result]
    lease_expires_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """What one person sent for one picture, whose row the transaction has locked."""

    asker: Identity
    image: ImageRow
    stage: str
    """Of the picture's project."""
    lease: queue.Lease | None
    changes: Sequence[Change]


def apply(
    session: Session, batches: Sequence[Batch], now: datetime, *, skip_locked: bool = False
) -> list[Answer | AnymaskError | None]:
    """What became of each of `batches`, all of different pictures, in one transaction.

    The changes of a batch are applied in order until one conflicts or is refused; what was applied before it stays. A
    batch that is refused as a whole gets its error, and changes nothing: NotAllowedError for an annotator without a
    lease, LeaseLostError for a late one, NotThereError for a task that is not there. With `skip_locked` the answer is
    None, and nothing is changed, for one whose task another transaction holds.
    """
    leases = [batch.lease.task_id for batch in batches if batch.lease is not None]
    tasks = queue.lock_tasks(session, leases, skip_locked=skip_locked) if leases else {}
    sent = [change for batch in batches for change in batch.changes]
    keys = journal.find_digests(session, [change.key for change in sent])
    ids = {change.mask_id for change in sent}
    masks = {row.id: row for row in session.scalars(select(MaskRow).where(MaskRow.id.in_(ids)))}
    entries: list[journal.Entry] = []
    answers: list[Answer | AnymaskError | None] = []
    for batch in batches:
        if skip_locked and batch.lease is not None and batch.lease.task_id not in tasks:
            answers.append(None)
            continue
        try:
            expires_at = _check_lease(batch, tasks, now)
        except AnymaskError as error:
            answers.append(error)
            continue
        work = _Work(session, batch, now, keys, masks, entries)
        answers.append(Answer(batch.image, work.apply(), expires_at))
    journal.write_all(session, entries)
    return answers


def _check_lease(batch: Batch, tasks: dict[int, tuple[TaskRow, int]], now: datetime) -> datetime | None:
    if batch.lease is not None:
        return queue.check_lease(tasks.get(batch.lease.task_id), batch.asker, batch.image.id, batch.lease, now)
    if batch.asker.is_reviewer:
        return None
    raise NotAllowedError("annotators change masks of a picture they hold; open its task first and send the lease")


class _Work:
    """One batch inside its transaction; `known`, `masks` and `entries` are shared with the others'."""

    def __init__(
        self,
        session: Session,
        batch: Batch,
        now: datetime,
        known: dict[str, str],
        masks: dict[str, MaskRow],
        entries: list[journal.Entry],
    ) -> None:
        self.session, self.asker, self.image, self.stage, self.now = session, batch.asker, batch.image, batch.stage, now
        self.changes, self.known, self.masks, self.entries = batch.changes, known, masks, entries

    def apply(self) -> list[Result]:
        results: list[Result] = []
        for change in self.changes:
            if results and results[-1].outcome not in ("applied", "repeated"):
                results.append(Result(key=change.key, outcome="not_tried"))
            else:
                results.append(self._one(change))
        return results

    def _one(self, change: Change) -> Result:
        row = self.masks.get(change.mask_id)
        if row is not None and row.image_id != self.image.id:
            # Not shown: the other picture may be of a project that is none of the asker's business.
            return self._refuse(change, None, "this id is another mask's; make a new random id for each mask")
        if change.key in self.known:
            if self.known[change.key] == change.digest:
                return Result(key=change.key, outcome="repeated", mask=row)
            return self._refuse(change, row, "this key was used for another action; make a new key for each")
        problem = change.problem or self._misfit(change) or self._problem(change, row)
        if problem is not None:
            return self._refuse(change, row, problem)
        if change.kind == "create":
            if row is not None:
                return Result(key=change.key, outcome="conflict", mask=row)
            assert change.mask is not None
            maker = Maker(origin=PERSON, person_id=self.asker.id, stage=self.stage)
            was, row = "", make_mask(self.session, self.image, change.mask_id, change.mask, maker, self.now)
            self.masks[row.id] = row
        else:
            assert row is not None
            if row.version != change.base_version:
                return Result(key=change.key, outcome="conflict", mask=row)
            was = row.state
            self._change(change, row)
        self.known[change.key] = change.digest
        self.entries.append(self._entry(change, row, was))
        return Result(key=change.key, outcome="applied", mask=row)

    def _misfit(self, change: Change) -> str | None:
        """Why the mask is not of this picture."""
        if change.mask is None:
            return None
        try:
            check_expected_size(change.mask.rle.size_hw, (self.image.height, self.image.width))
        except MaskError as error:
            return f"the mask is refused: {error}"
        return None

    def _problem(self, change: Change, row: MaskRow | None) -> str | None:
        if change.kind in ("create", "replace") and change.mask is None:
            return f"an action of kind {change.kind} needs a mask; send one"
        if change.kind == "create":
            return None
        if row is None:
            return f"there is no mask {change.mask_id}; create it first, or load the picture's masks again"
        if change.base_version is None:
            return f"an action of kind {change.kind} needs base_version; send the version it was made on"
        if change.kind == "undecide" and row.origin != MODEL:
            return "nobody proposed this mask, a person made it; delete it instead"
        is_back = change.kind in ("restore", "undecide")
        if row.deleted and row.version == change.base_version and not is_back:
            return "the mask is deleted; restore it first"
        return None

    def _change(self, change: Change, row: MaskRow) -> None:
        if change.kind == "replace":
            assert change.mask is not None
            replace_mask(self.session, row, change.mask, self.asker.id, self.now)
            return
        keep_version(self.session, row, self.asker.id, self.now)
        if change.kind == "relabel":
            row.label = change.label
        elif change.kind == "delete":
            row.deleted = True
        elif change.kind == "reject":
            row.state = REJECTED
        elif change.kind == "undecide":
            row.state, row.deleted = PROPOSED, False
        else:  # accept, restore
            row.state, row.deleted = ACCEPTED, False

    def _entry(self, change: Change, row: MaskRow, was: str) -> journal.Entry:
        details = {"digest": change.digest, "at": change.at.isoformat()}
        if was == PROPOSED:
            # What people make of proposals is what the stage is measured by.
            details["was"] = was
        if change.mask is not None:
            details |= {"tool": str(change.mask.provenance.get("tool")), "area_px": str(row.area_px)}
        return journal.Entry(
            kind=change.kind,
            at=self.now,
            person_id=self.asker.id,
            project_id=self.image.project_id,
            image_id=self.image.id,
            mask_id=row.id,
            version=row.version,
            key=change.key,
            details=details,
        )

    @staticmethod
    def _refuse(change: Change, row: MaskRow | None, message: str) -> Result:
        return Result(key=change.key, outcome="refused", mask=row, message=message)
