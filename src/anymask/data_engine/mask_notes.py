"""How the database's masks were made, as datasets on disk say it: the one way from the one to the other."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from anymask.data_engine.mask_rows import IMPORT, MODEL, to_plain
from anymask.data_engine.tables import ImageRow, MaskRow, MaskVersionRow, ModelRow
from anymask.dataset.provenance import Notes, Provenance, Stage, stages


def notes_of(session: Session, image: ImageRow, rows: Sequence[MaskRow], base: Notes | None = None) -> Notes:
    """The notes of a picture with these of its masks. `base` is what was known of the picture before."""
    names = {row.sha256: row.name for row in session.scalars(select(ModelRow))}
    ways: dict[Provenance, int] = {}
    software = f"anymask {version('anymask')}"
    by_mask = []
    for row in rows:
        first = first_version(session, row, image)
        model = first["provenance"].get("model_sha256") or row.model_sha256 or ""
        way = Provenance(
            stage=_stage(row, is_changed=first["rle"]["counts"] != row.counts),
            model=names.get(model, ""),
            model_sha256=model,
            software=software,
        )
        by_mask.append(ways.setdefault(way, len(ways)))
    known = base or Notes()
    return Notes(
        licence=known.licence,
        source=known.source,
        source_sha256=known.source_sha256,
        blurred=known.blurred,
        made=tuple(ways),
        made_by_mask=tuple(by_mask),
    )


def _stage(row: MaskRow, *, is_changed: bool) -> Stage:
    """How a mask came to be: of a model's, whether a person changed it."""
    if row.origin == IMPORT:
        return "imported"
    if row.origin == MODEL and is_changed:
        return "corrected"
    return cast(Stage, row.stage) if row.stage in stages() else "unknown"


def first_version(session: Session, row: MaskRow, image: ImageRow) -> dict[str, Any]:
    """The mask as it was first, under the names of the wire type `Mask`."""
    first = session.get(MaskVersionRow, (row.id, 1))
    return to_plain(row, image) if first is None else dict(first.mask)
