"""How the work goes: masks a picture, seconds and clicks a mask, how often the model was right at once, and what people
made of the masks it proposed.

Counted are accepted masks that people made or accepted; imported ones are not, for nobody worked on them here. Seconds
and clicks are of masks that somebody worked on: proposals accepted as they were are left out, as the paper does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from anymask.data_engine.mask_rows import ACCEPTED, IMPORT, MODEL, PERSON, PROPOSED, REJECTED
from anymask.data_engine.tables import ImageRow, MaskRow, PersonRow, ReviewRow, SkipRow, TaskRow

NO_MODEL = "no model"


@dataclass(frozen=True, slots=True)
class Spread:
    """Some numbers by their middle and how far they lie apart; None where there is no number."""

    count: int
    median: float | None = None
    quartile_low: float | None = None
    quartile_high: float | None = None
    mean: float | None = None

    @staticmethod
    def of(numbers: Iterable[float]) -> Spread:
        """Median, quartiles and mean.

        >>> Spread.of([1, 2, 3, 4, 5]).median
        3.0
        """
        array = np.fromiter(numbers, np.float64)
        if not len(array):
            return Spread(0)
        low, middle, high = (float(value) for value in np.percentile(array, (25, 50, 75)))
        return Spread(len(array), middle, low, high, float(array.mean()))


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupStatistics:
    """Of the masks of one stage, model or person, or of all."""

    group: str
    masks: int
    images: int
    masks_per_image: Spread
    seconds_per_mask: Spread
    clicks_per_mask: Spread
    as_given: float | None
    """Share of the masks a model helped with that are exactly its first answer."""
    first_answer_iou: Spread


@dataclass(frozen=True, kw_only=True, slots=True)
class ProposalStatistics:
    """What people made of proposed masks, and how the semi-automatic stage goes beside them."""

    proposed: int
    """In all; those withdrawn for a better detector's are not counted."""
    undecided: int
    as_given: int
    """Accepted as they were."""
    fixed: int
    """Changed, then kept."""
    dropped: int
    acceptance: float | None
    """Share of those decided on that were kept, as given or fixed."""
    fixed_iou: Spread
    """IoU of the proposal with what a person made of it, of those fixed."""
    seconds_per_added_mask: Spread
    """Of the masks that people added on pictures with proposals: the paper's time without the automatic ones."""
    masks_per_image: Spread
    """On finished pictures with proposals: kept proposals and added masks together."""
    added_per_image: Spread
    """On the same pictures, added masks alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectStatistics:
    """Of one project."""

    all: GroupStatistics
    by_stage: list[GroupStatistics]
    by_model: list[GroupStatistics]
    by_person: list[GroupStatistics]
    skipped: int
    reviews: dict[str, int]
    proposals: ProposalStatistics


@dataclass(frozen=True, slots=True)
class _Mask:
    image_id: int
    stage: str
    model: str
    person: str
    seconds: float
    clicks: int
    first_answer_iou: float | None
    origin: str

    @property
    def is_worked_on(self) -> bool:
        """Whether a person did more than to accept it."""
        return self.origin != MODEL or self.first_answer_iou != 1.0


def compute(session: Session, project_id: int) -> ProjectStatistics:
    """The statistics of a project as it is now."""
    masks = _masks(session, project_id)
    skipped = select(func.count()).select_from(SkipRow).join(TaskRow).where(TaskRow.project_id == project_id)
    said = select(ReviewRow.decision).join(ImageRow, ImageRow.id == ReviewRow.image_id)
    reviews = session.scalars(said.where(ImageRow.project_id == project_id, ReviewRow.mask_id.is_(None)))
    return ProjectStatistics(
        all=_describe("all", masks),
        by_stage=_grouped(masks, lambda mask: mask.stage),
        by_model=_grouped(masks, lambda mask: mask.model),
        by_person=_grouped(masks, lambda mask: mask.person),
        skipped=session.scalar(skipped) or 0,
        reviews=dict(Counter(reviews)),
        proposals=_proposals(session, project_id),
    )


def _masks(session: Session, project_id: int) -> list[_Mask]:
    query = (
        select(
            MaskRow.image_id,
            MaskRow.stage,
            func.coalesce(MaskRow.model_sha256, NO_MODEL),
            func.coalesce(PersonRow.name, "model"),
            MaskRow.active_ms / 1000.0,
            MaskRow.clicks,
            MaskRow.first_answer_iou,
            MaskRow.origin,
        )
        .join(ImageRow, ImageRow.id == MaskRow.image_id)
        .outerjoin(PersonRow, PersonRow.id == MaskRow.author_id)
        .where(ImageRow.project_id == project_id, MaskRow.deleted.is_(False))
        .where(MaskRow.state == ACCEPTED, MaskRow.origin != IMPORT)
    )
    rows: Iterable[Any] = session.execute(query.order_by(MaskRow.image_id, MaskRow.order))
    return [_Mask(*row) for row in rows]


def _grouped(masks: Sequence[_Mask], name_of: Callable[[_Mask], str]) -> list[GroupStatistics]:
    groups: dict[str, list[_Mask]] = {}
    for mask in masks:
        groups.setdefault(name_of(mask), []).append(mask)
    return [_describe(name, groups[name]) for name in sorted(groups)]


def _describe(name: str, masks: Sequence[_Mask]) -> GroupStatistics:
    per_image = Counter(mask.image_id for mask in masks)
    worked_on = [mask for mask in masks if mask.is_worked_on]
    helped = [mask.first_answer_iou for mask in masks if mask.first_answer_iou is not None]
    return GroupStatistics(
        group=name,
        masks=len(masks),
        images=len(per_image),
        masks_per_image=Spread.of(per_image.values()),
        seconds_per_mask=Spread.of(float(mask.seconds) for mask in worked_on),
        clicks_per_mask=Spread.of(mask.clicks for mask in worked_on),
        as_given=sum(iou == 1.0 for iou in helped) / len(helped) if helped else None,
        first_answer_iou=Spread.of(helped),
    )


def _proposals(session: Session, project_id: int) -> ProposalStatistics:
    proposed_on = select(MaskRow.image_id).where(MaskRow.origin == MODEL)
    query = (
        select(
            MaskRow.image_id,
            MaskRow.origin,
            MaskRow.state,
            MaskRow.deleted,
            MaskRow.first_answer_iou,
            MaskRow.active_ms / 1000.0,
            TaskRow.state,
        )
        .join(ImageRow, ImageRow.id == MaskRow.image_id)
        .join(TaskRow, (TaskRow.image_id == ImageRow.id) & (TaskRow.kind == "annotate"))
        .where(ImageRow.project_id == project_id, ImageRow.id.in_(proposed_on))
    )
    outcomes: Counter[str] = Counter()
    fixed, seconds = [], []
    per_image: dict[int, Counter[str]] = {}
    for image_id, origin, state, deleted, iou, seconds_spent, task in session.execute(query):
        kept = state == ACCEPTED and not deleted
        if origin == MODEL:
            outcome = _outcome(state, iou, is_deleted=deleted)
            outcomes[outcome] += 1
            fixed += [float(iou or 0)] if outcome == "fixed" else []
        elif origin == PERSON and kept:
            seconds.append(float(seconds_spent))
        if task == "done":
            counted = per_image.setdefault(image_id, Counter())
            counted["kept"] += kept and origin in (MODEL, PERSON)
            counted["added"] += kept and origin == PERSON
    decided = outcomes["as_given"] + outcomes["fixed"] + outcomes["dropped"]
    return ProposalStatistics(
        proposed=outcomes.total(),
        undecided=outcomes["undecided"],
        as_given=outcomes["as_given"],
        fixed=outcomes["fixed"],
        dropped=outcomes["dropped"],
        acceptance=1 - outcomes["dropped"] / decided if decided else None,
        fixed_iou=Spread.of(fixed),
        seconds_per_added_mask=Spread.of(seconds),
        masks_per_image=Spread.of(counted["kept"] for counted in per_image.values()),
        added_per_image=Spread.of(counted["added"] for counted in per_image.values()),
    )


def _outcome(state: str, first_answer_iou: float | None, *, is_deleted: bool) -> str:
    """What became of a proposal; one accepted and deleted later was dropped after all."""
    if is_deleted or state == REJECTED:
        return "dropped"
    if state == PROPOSED:
        return "undecided"
    return "as_given" if first_answer_iou == 1.0 else "fixed"
