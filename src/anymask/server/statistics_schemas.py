"""Wire types of statistics: how the work of a project goes."""

from __future__ import annotations

from pydantic import Field

from anymask.server.schemas import Count, Wire


class Spread(Wire):
    """Some numbers, by their middle and how far they lie apart."""

    count: Count
    median: float | None
    quartile_low: float | None
    quartile_high: float | None
    mean: float | None


class MaskStatistics(Wire):
    """Of the accepted masks of one group."""

    group: str
    masks: Count
    images: Count
    masks_per_image: Spread
    seconds_per_mask: Spread = Field(
        description="Of masks that somebody worked on, not of proposals accepted as given."
    )
    clicks_per_mask: Spread = Field(description="Of the same masks.")
    as_given: float | None = Field(description="Share of model-helped masks that are exactly the model's first answer.")
    first_answer_iou: Spread = Field(description="IoU of the model's first answer and the final mask.")


class ProposalStatistics(Wire):
    """What people made of the masks that a model proposed."""

    proposed: Count = Field(description="In all; those withdrawn for a better detector's are not counted.")
    undecided: Count
    as_given: Count = Field(description="Accepted as they were.")
    fixed: Count = Field(description="Changed, then kept.")
    dropped: Count
    acceptance: float | None = Field(description="Share of those decided on that were kept.")
    fixed_iou: Spread = Field(description="IoU of the proposal with what a person made of it, of those fixed.")
    seconds_per_added_mask: Spread = Field(description="Of masks that people added: without the automatic ones.")
    masks_per_image: Spread = Field(description="On finished pictures with proposals: kept and added ones together.")
    added_per_image: Spread = Field(description="On the same pictures, added masks alone.")


class Statistics(Wire):
    """How the work goes."""

    all: MaskStatistics
    by_stage: list[MaskStatistics]
    by_model: list[MaskStatistics]
    by_person: list[MaskStatistics]
    skipped: Count
    reviews: dict[str, int]
    proposals: ProposalStatistics
