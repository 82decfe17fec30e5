"""Wire types of ratings. None of them has a place for whose mask it is."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from anymask.evaluation.rating.guide import HIGHEST, LOWEST
from anymask.server.mask_schemas import BoxPrompt, Key, PointPrompt, Rle
from anymask.server.schemas import Count, Id, Name, Wire


class RatedMask(Wire):
    """One mask to rate, on its picture."""

    id: Id
    pixels_url: str = Field(description="The picture; immutable.")
    width: int
    height: int
    point: PointPrompt | None = Field(description="The click that was given, original pixels; a pixel's centre.")
    box: BoxPrompt | None = Field(description="The box that was given.")
    rle: Rle


class RatingStanding(Wire):
    """How far the asker is, and what they are to rate now."""

    done: Count
    total: Count
    mask: RatedMask | None = Field(description="None when nothing is left.")
    upcoming: list[str] = Field(description="Addresses of the next pictures, to fetch ahead.")
    undoable: Id | None = Field(description="The mask whose rating the asker gave last, and may take back.")


class RatingIn(Wire):
    """A rating."""

    key: Key
    mask_id: Id
    score: Annotated[int, Field(ge=LOWEST, le=HIGHEST)]
    active_ms: Annotated[int, Field(ge=0, le=10**9)] = Field(description="How long the person looked, pauses left out.")


class RatingUndo(Wire):
    """The last rating, taken back."""

    key: Key
    mask_id: Id = Field(description="The mask that was rated last, so that nothing else is taken back by mistake.")


class RaterProgress(Wire):
    """How far one person is; what they gave is not told."""

    person_id: Id
    name: Name
    rated: Count
    median_s: float | None = Field(description="Median of the seconds they took.")
