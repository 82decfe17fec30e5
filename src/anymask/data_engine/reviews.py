"""What reviewers say: a picture accepted, rejected or sent back, a mask accepted or rejected."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from anymask.data_engine import journal, queue
from anymask.data_engine.mask_rows import ACCEPTED, REJECTED, keep_version
from anymask.data_engine.people import Identity
from anymask.data_engine.tables import ImageRow, MaskRow, ReviewRow
from anymask.errors import InputError, NotThereError

Decision = Literal["accept", "fix", "reject"]


def review(
    session: Session,
    asker: Identity,
    image_id: int,
    decision: Decision,
    now: datetime,
    *,
    mask_id: str | None = None,
    comment: str = "",
    lease: queue.Lease | None = None,
) -> ReviewRow:
    """Note the decision and act on it: a mask changes its state; a picture that needs work goes back to the queue.

    A decision on the picture ends the review task of `lease`.

    Raises: NotThereError, LeaseLostError, InputError for `fix` of one mask (a reviewer changes it directly).
    """
    image = session.scalar(select(ImageRow).where(ImageRow.id == image_id).with_for_update())
    if image is None:
        raise NotThereError(f"there is no picture {image_id}; list the project's pictures")
    if lease is not None:
        queue.use_lease(session, asker, image_id, lease, now)
    if mask_id is not None:
        _decide_mask(session, asker, image, mask_id, decision, now)
    else:
        image.review = decision
        if decision == "fix":
            queue.send_back(session, image, comment)
        if lease is not None:
            queue.finish(session, asker, lease, now)
    row = ReviewRow(image_id=image_id, mask_id=mask_id, person_id=asker.id, decision=decision, comment=comment, at=now)
    session.add(row)
    details = {"decision": decision, "comment": comment}
    journal.write(session, journal.Entry("review", now, asker.id, image.project_id, image_id, mask_id, details=details))
    session.flush()
    return row


def list_reviews(session: Session, image_id: int) -> list[ReviewRow]:
    """What was said of a picture and its masks, oldest first."""
    return list(session.scalars(select(ReviewRow).where(ReviewRow.image_id == image_id).order_by(ReviewRow.id)))


def _decide_mask(
    session: Session, asker: Identity, image: ImageRow, mask_id: str, decision: Decision, now: datetime
) -> None:
    row = session.get(MaskRow, mask_id)
    if row is None or row.image_id != image.id or row.deleted:
        raise NotThereError(f"picture {image.id} has no mask {mask_id}; load its masks again")
    if decision == "fix":
        raise InputError("one mask cannot be sent back; change it, or send the picture back with a comment")
    keep_version(session, row, asker.id, now)
    row.state = ACCEPTED if decision == "accept" else REJECTED
