"""How far a stage is, in the numbers that the paper gives for its own: masks, seconds a mask, masks a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from anymask.data_engine.mask_rows import ACCEPTED, IMPORT, MODEL
from anymask.data_engine.projects import get_project
from anymask.data_engine.queue import ANNOTATE
from anymask.data_engine.tables import ImageRow, MaskRow, TaskRow
from anymask.data_engine.turns.config import STAGES, StageTarget


@dataclass(frozen=True, kw_only=True, slots=True)
class StageNumbers:
    """The accepted masks of one stage; imported ones do not count, for nobody worked on them here."""

    stage: str
    masks: int = 0
    pictures: int = 0
    by_model: int = 0
    """Masks that a model proposed, accepted as they were or fixed."""
    seconds_a_mask: float | None = None
    """Median working time of the masks that took a person any."""
    clicks_a_mask: float | None = None
    """Mean points and boxes of the same masks."""
    masks_a_picture: float | None = None
    """Mean of the pictures with any."""


def stage_of(session: Session, project_id: int) -> str:
    """The stage that new masks of the project are made in."""
    return str(get_project(session, project_id).settings.get("stage", STAGES[0]))


def set_stage(session: Session, project_id: int, stage: str) -> None:
    """New masks are made in this stage from now on."""
    project = get_project(session, project_id)
    project.settings = {**project.settings, "stage": stage}


def measure(session: Session, project_id: int, stage: str) -> StageNumbers:
    """The numbers of one stage as they are now, of pictures that are done and not rejected."""
    own = (ImageRow.project_id == project_id, MaskRow.stage == stage, MaskRow.state == ACCEPTED)
    done = (TaskRow.image_id == ImageRow.id) & (TaskRow.kind == ANNOTATE) & (TaskRow.state == "done")
    query = (
        select(MaskRow.image_id, MaskRow.origin, MaskRow.active_ms, MaskRow.clicks)
        .join(ImageRow, ImageRow.id == MaskRow.image_id)
        .join(TaskRow, done)
        .where(*own, MaskRow.deleted.is_(False), MaskRow.origin != IMPORT, ImageRow.review != "reject")
    )
    rows = session.execute(query.order_by(MaskRow.image_id, MaskRow.order)).all()
    if not rows:
        return StageNumbers(stage=stage)
    worked = [(active_ms / 1000, clicks) for _, _, active_ms, clicks in rows if active_ms > 0]
    pictures = len({image_id for image_id, *_ in rows})
    return StageNumbers(
        stage=stage,
        masks=len(rows),
        pictures=pictures,
        by_model=sum(origin == MODEL for _, origin, *_ in rows),
        seconds_a_mask=float(np.median([seconds for seconds, _ in worked])) if worked else None,
        clicks_a_mask=float(np.mean([clicks for _, clicks in worked])) if worked else None,
        masks_a_picture=len(rows) / pictures,
    )


def count_waiting(session: Session, project_id: int) -> int:
    """Pictures that somebody has still to work on."""
    query = select(func.count()).select_from(TaskRow)
    open_tasks = (
        TaskRow.project_id == project_id,
        TaskRow.kind == ANNOTATE,
        TaskRow.state.in_(("waiting", "leased")),
    )
    return session.scalar(query.where(*open_tasks)) or 0


def is_met(target: StageTarget, numbers: StageNumbers, turns: int) -> bool:
    """Whether the stage has done its work, after so many turns in it."""
    seconds, a_picture = numbers.seconds_a_mask, numbers.masks_a_picture
    return not target.is_open and all(
        (
            target.masks is None or numbers.masks >= target.masks,
            target.seconds_a_mask is None or (seconds is not None and seconds <= target.seconds_a_mask),
            target.masks_a_picture is None or (a_picture is not None and a_picture >= target.masks_a_picture),
            target.turns is None or turns >= target.turns,
        )
    )


def next_stage(stage: str) -> str:
    """The stage after this one; the last one stays."""
    return STAGES[min(STAGES.index(stage) + 1, len(STAGES) - 1)]
