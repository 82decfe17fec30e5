"""Masks as the database keeps them: checked on the way in, plain on the way out, with every version they ever had."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from anymask.data_engine.tables import ImageRow, MaskRow, MaskVersionRow
from anymask.errors import MaskError, NotThereError
from anymask.masks import rle
from anymask.masks.boxes import box_of_runs
from anymask.masks.overlap import rle_iou_matrix
from anymask.masks.types import Rle

PERSON, MODEL, IMPORT = "person", "model", "import"
"""Who made a mask first."""
PROPOSED, ACCEPTED, REJECTED = "proposed", "accepted", "rejected"
_DETECTED = ("detector_sha256", "detector_score")
"""Of a proposal's provenance, what stays whatever a person makes of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedMask:
    """A mask that passed the gate, measured."""

    rle: Rle
    area_px: int
    box_xyxy: list[float]
    label: str | None
    provenance: dict[str, Any]
    first_answer: Rle | None


def check_mask(
    value: object,
    size_hw: tuple[int, int] | None = None,
    *,
    label: str | None = None,
    provenance: dict[str, Any],
    first_answer: object = None,
) -> CheckedMask:
    """The mask of `{"size": [h, w], "counts": ...}`, which must be `size_hw` when that is given.

    Raises: MaskError for malformed run lengths, another size, or a mask without pixels.
    """
    mask = rle.from_json(value, size_hw)
    runs = rle.to_uncompressed_array(mask)
    area = int(runs[1::2].sum())
    if area == 0:
        raise MaskError("the mask is empty; delete it instead of saving it without pixels")
    box = [float(edge) for edge in box_of_runs(runs, mask.size_hw[0])]
    first = None if first_answer is None else rle.from_json(first_answer, mask.size_hw)
    return CheckedMask(rle=mask, area_px=area, box_xyxy=box, label=label, provenance=provenance, first_answer=first)


@dataclass(frozen=True, kw_only=True, slots=True)
class Maker:
    """Who makes masks, and how."""

    origin: str
    person_id: int | None
    stage: str
    state: str = ACCEPTED


def make_mask(
    session: Session, image: ImageRow, mask_id: str, mask: CheckedMask, maker: Maker, now: datetime
) -> MaskRow:
    """A new row, next in the picture's order of creation. The caller holds the picture's lock."""
    image.masks_made += 1
    row = MaskRow(
        id=mask_id,
        image_id=image.id,
        version=1,
        state=maker.state,
        deleted=False,
        origin=maker.origin,
        author_id=maker.person_id,
        changed_by_id=maker.person_id,
        stage=maker.stage,
        order=image.masks_made,
        first_answer=None if mask.first_answer is None else mask.first_answer.counts.decode(),
        created_at=now,
    )
    _fill(row, mask, now)
    session.add(row)
    return row


def replace_mask(session: Session, row: MaskRow, mask: CheckedMask, person_id: int, now: datetime) -> None:
    """Other pixels; the first answer stays the one there was first. The caller holds the picture's lock."""
    keep_version(session, row, person_id, now)
    detected = {name: row.provenance[name] for name in _DETECTED if row.provenance.get(name) is not None}
    mask = replace(mask, provenance={**mask.provenance, **detected})
    if row.first_answer is None and mask.first_answer is not None:
        row.first_answer = mask.first_answer.counts.decode()
    row.state = ACCEPTED
    _fill(row, mask, now)


def keep_version(session: Session, row: MaskRow, person_id: int | None, now: datetime) -> None:
    """Note how the mask is now, before a change by `person_id`; its version goes up."""
    image = session.get_one(ImageRow, row.image_id)
    session.add(
        MaskVersionRow(
            mask_id=row.id, version=row.version, by_id=row.changed_by_id, at=row.updated_at, mask=to_plain(row, image)
        )
    )
    row.version += 1
    row.changed_by_id, row.updated_at = person_id, now


def list_masks(session: Session, image_id: int, *, with_deleted: bool = False) -> list[MaskRow]:
    """The picture's masks in order of creation."""
    query = select(MaskRow).where(MaskRow.image_id == image_id).order_by(MaskRow.order)
    return list(session.scalars(query if with_deleted else query.where(MaskRow.deleted.is_(False))))


def list_versions(session: Session, mask_id: str) -> list[dict[str, Any]]:
    """All that a mask ever was, oldest first, each as `{"version", "by_id", "at", "mask"}`.

    Raises: NotThereError.
    """
    row = session.get(MaskRow, mask_id)
    if row is None:
        raise NotThereError(f"there is no mask {mask_id}; list the picture's masks")
    older = session.scalars(
        select(MaskVersionRow).where(MaskVersionRow.mask_id == mask_id).order_by(MaskVersionRow.version)
    )
    found = [{"version": each.version, "by_id": each.by_id, "at": each.at, "mask": each.mask} for each in older]
    now = to_plain(row, session.get_one(ImageRow, row.image_id))
    return [*found, {"version": row.version, "by_id": row.changed_by_id, "at": row.updated_at, "mask": now}]


def to_plain(row: MaskRow, image: ImageRow) -> dict[str, Any]:
    """The mask as values that JSON takes, under the names of the wire type `Mask`."""
    return {
        "id": row.id,
        "image_id": row.image_id,
        "version": row.version,
        "state": row.state,
        "deleted": row.deleted,
        "origin": row.origin,
        "author_id": row.author_id,
        "changed_by_id": row.changed_by_id,
        "stage": row.stage,
        "order": row.order,
        "rle": {"size": [image.height, image.width], "counts": row.counts},
        "area_px": row.area_px,
        "box_xyxy": row.box_xyxy,
        "label": row.label,
        "provenance": row.provenance,
        "first_answer_iou": row.first_answer_iou,
        "created_at": row.created_at.isoformat(),
        "updated_at": row.updated_at.isoformat(),
    }


def to_rle(row: MaskRow, image: ImageRow) -> Rle:
    """The mask as run lengths."""
    return Rle((image.height, image.width), row.counts.encode())


def _fill(row: MaskRow, mask: CheckedMask, now: datetime) -> None:
    provenance = mask.provenance
    row.counts = mask.rle.counts.decode()
    row.area_px, row.box_xyxy, row.label = mask.area_px, mask.box_xyxy, mask.label
    row.provenance = provenance
    row.model_sha256 = provenance.get("model_sha256")
    row.clicks, row.active_ms = int(provenance.get("clicks", 0)), int(provenance.get("active_ms", 0))
    row.updated_at = now
    if row.first_answer is None:
        row.first_answer_iou = None
    else:
        first = Rle(mask.rle.size_hw, row.first_answer.encode())
        row.first_answer_iou = float(rle_iou_matrix([first], [mask.rle])[0, 0])
