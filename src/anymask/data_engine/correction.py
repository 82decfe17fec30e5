"""Automatic masks put right by people: a project of them, and what became of each mask.

A picture counts when somebody has finished it. A mask that they left as it was has been looked at and passed: its IoU
is 1. Masks are paired by their ids, so a mask that was changed beyond recognition is still known.

Source: after SAM (arXiv 2304.02643) section 5, "Mask quality".
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from anymask.data_engine import journal
from anymask.data_engine.blobs import Blobs
from anymask.data_engine.incoming import scores_of
from anymask.data_engine.mask_notes import first_version, notes_of
from anymask.data_engine.mask_rows import (
    MODEL,
    PROPOSED,
    REJECTED,
    CheckedMask,
    Maker,
    check_mask,
    list_masks,
    make_mask,
    to_rle,
)
from anymask.data_engine.pictures import KeptPicture, add_picture, keep_picture
from anymask.data_engine.projects import CORRECT, add_project
from anymask.data_engine.quality import Pairs
from anymask.data_engine.store import Database
from anymask.data_engine.tables import ImageRow, JournalRow, ProjectRow, TaskRow
from anymask.dataset.labelled_picture import LabelledPicture
from anymask.dataset.provenance import Notes
from anymask.errors import MaskError, NotThereError, TakenError
from anymask.images.sniff import SUFFIXES
from anymask.masks.overlap import rle_iou_matrix
from anymask.masks.rle import area, from_json, to_json
from anymask.masks.sets import set_from_rles
from anymask.runs import from_plain, to_plain

INSTRUCTIONS = """A model made all of these masks by itself. Look at every one, and put it right where it is wrong.

Leave a mask that fits: when you press "Done, next", what you left counts as looked at and right.
Mend a mask whose edge is off: select it, then brush (B) and eraser (E) to the pixel.
Delete a mask that is of no thing and no part of one.
Do not add masks for what is missing. Page Down goes on to the next mask and shows it alone (J: all of them again), O
shows outlines, H hides them."""

BEGUN, ADDED = "correction", "automatic_masks"
"""Kinds of journal entries: what a project was begun with; a picture that came with its masks."""
_NAMESPACE = uuid.UUID("5b8d6b3e-58f2-4d63-8d6f-0d6f7d2b9c44")
"""Of the ids of automatic masks, which follow from project, picture and place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """What a study is of."""

    dataset: str
    """Its name."""
    pictures: int
    """How many were to be drawn."""
    seed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What people did, in masks unless said."""

    finished: int
    """Pictures that somebody finished."""
    unfinished: int
    """The others; nothing of them is in any other figure."""
    left: int
    """Looked at and left as they were."""
    fixed: int
    """Changed."""
    deleted: int
    """Taken away, or refused by a reviewer."""
    added: int
    """New, beside the automatic ones."""


def begin(
    session: Session, name: str, drawn: Drawn, settings: dict[str, Any], owner_id: int, database: Database
) -> int:
    """The id of the study's project, made unless it is there.

    Raises: TakenError when the name is another project's, or that of a study of other pictures.
    """
    row = session.scalar(select(ProjectRow).where(ProjectRow.name == name))
    if row is None:
        now = database.clock()
        project = add_project(session, name, INSTRUCTIONS, settings, owner_id, now, kind=CORRECT)
        entry = journal.Entry(BEGUN, now, owner_id, project.id, details=to_plain(drawn))
        journal.write(session, entry)
        return project.id
    begun = session.scalar(select(JournalRow).where(JournalRow.project_id == row.id, JournalRow.kind == BEGUN))
    if row.kind != CORRECT or begun is None:
        raise TakenError(f"there is a project called {name!r} already, which is no correction; choose another --name")
    if begun.details != to_plain(drawn):
        raise TakenError(
            f"the project {name!r} was begun with {begun.details}, now {to_plain(drawn)} is asked for; choose another "
            "--name, or ask for the same"
        )
    return row.id


def find(session: Session, name: str | None = None) -> ProjectRow:
    """The correction of that name, or the only one there is.

    Raises: NotThereError.
    """
    rows = list(session.scalars(select(ProjectRow).where(ProjectRow.kind == CORRECT).order_by(ProjectRow.name)))
    found = [row for row in rows if name in (None, row.name)]
    if len(found) != 1:
        there = ", ".join(repr(row.name) for row in rows) or "none"
        what = "no such correction" if not found else "several corrections"
        raise NotThereError(f"there is {what} here; name one with --name (there: {there})")
    return found[0]


def add(database: Database, blobs: Blobs, project_id: int, picture: LabelledPicture) -> int:
    """Bring in one picture with its automatic masks, all at once, unless it is there; how many masks were new.

    Raises: ImageError, MaskError, DatasetError when picture or masks are damaged or of different sizes; StoreError.
    """
    kept = keep_picture(blobs, picture.image_bytes())
    single = picture.without_crowds()
    if kept.size_hw != single.masks.size_hw:
        raise MaskError(f"the masks are of a picture of {single.masks.size_hw} (height, width), this is {kept.size_hw}")
    name = picture.name if "." in picture.name.rpartition("/")[2] else picture.name + SUFFIXES[kept.media_type]
    masks = _checked(single, database)
    return database.write(lambda session: _add(session, database, project_id, name, kept, single, masks))


def _checked(picture: LabelledPicture, database: Database) -> list[CheckedMask]:
    now, found = database.clock().isoformat(), []
    for index, mask in enumerate(picture.masks.rles):
        if area(mask) == 0:
            continue
        made: dict[str, Any] = {"tool": "everything", "tools": ["everything"], "active_ms": 0}
        made |= {"started_at": now, "finished_at": now, **scores_of(picture.masks, index)}
        x, y = (float(value) for value in picture.masks.points_xy[index])
        if np.isfinite(x) and np.isfinite(y):
            made["prompts"] = [{"points": [{"x": x, "y": y}]}]
        model = picture.notes.of_mask(index).model_sha256
        if model:
            made["model_sha256"] = model
        found.append(check_mask(to_json(mask), picture.masks.size_hw, provenance=made))
    return found


def _add(
    session: Session,
    database: Database,
    project_id: int,
    name: str,
    kept: KeptPicture,
    picture: LabelledPicture,
    masks: list[CheckedMask],
) -> int:
    now = database.clock()
    image = add_picture(session, project_id, name, kept, now, None)
    session.execute(select(ImageRow.id).where(ImageRow.id == image.id).with_for_update())
    there = select(JournalRow.seq).where(JournalRow.image_id == image.id, JournalRow.kind == ADDED)
    if session.scalar(there) is not None:
        return 0
    maker = Maker(origin=MODEL, person_id=None, stage="automatic", state=PROPOSED)
    for place, mask in enumerate(masks):
        mask_id = str(uuid.uuid5(_NAMESPACE, f"{project_id}:{image.id}:{place}"))
        make_mask(session, image, mask_id, mask, maker, now)
    notes = replace(picture.notes, made=(), made_by_mask=(), source=picture.notes.source or picture.name)
    details = {"masks": len(masks), "notes": to_plain(notes)}
    journal.write(session, journal.Entry(ADDED, now, None, project_id, image.id, details=details))
    return len(masks)


def collect(session: Session, project_id: int) -> tuple[Pairs, Work]:
    """Every automatic mask of a finished picture with what it became, and what people did."""
    rows: list[tuple[float, float, float]] = []
    pictures: list[str] = []
    counts = {"left": 0, "fixed": 0, "deleted": 0, "added": 0}
    finished = 0
    for image in _finished(session, project_id):
        finished += 1
        for mask in list_masks(session, image.id, with_deleted=True):
            is_gone = mask.deleted or mask.state == REJECTED
            if mask.origin != MODEL:
                counts["added"] += not is_gone
                continue
            if is_gone:
                counts["deleted"] += 1
                continue
            first = first_version(session, mask, image)
            before, now = from_json(first["rle"]), to_rle(mask, image)
            is_same = before == now
            counts["left" if is_same else "fixed"] += 1
            iou = 1.0 if is_same else float(rle_iou_matrix([before], [now])[0, 0])
            size = float(np.sqrt(mask.area_px / (image.height * image.width)))
            rows.append((iou, size, _score(first["provenance"], "predicted_iou")))
            pictures.append(image.file_name)
    total = session.scalar(select(func.count()).where(ImageRow.project_id == project_id)) or 0
    columns = np.asarray(rows, np.float64).reshape(-1, 3).T
    pairs = Pairs(columns[0], columns[1], columns[2], tuple(pictures), finished, counts["deleted"], counts["added"])
    return pairs, Work(finished=finished, unfinished=total - finished, **counts)


def corrected(database: Database, blobs: Blobs, project_id: int) -> Iterator[LabelledPicture]:
    """The finished pictures with their masks as people left them, one at a time."""
    ids = database.read(lambda session: [image.id for image in _finished(session, project_id)])
    for image_id in ids:
        yield database.read(partial(_labelled, blobs=blobs, image_id=image_id))


def _labelled(session: Session, blobs: Blobs, image_id: int) -> LabelledPicture:
    image = session.get_one(ImageRow, image_id)
    rows = [row for row in list_masks(session, image_id) if row.state != REJECTED]
    said = [first_version(session, row, image)["provenance"] for row in rows]
    added = session.scalars(select(JournalRow).where(JournalRow.image_id == image_id, JournalRow.kind == ADDED)).one()
    masks = set_from_rles(
        [to_rle(row, image) for row in rows],
        (image.height, image.width),
        predicted_iou=np.array([_score(one, "predicted_iou") for one in said]),
        stability=np.array([_score(one, "stability") for one in said]),
    )
    notes = notes_of(session, image, rows, from_plain(Notes, added.details["notes"]))
    key = image.pixels_key
    return LabelledPicture(
        name=image.file_name.rpartition(".")[0], masks=masks, notes=notes, read_image=lambda: blobs.read(key)
    )


def _finished(session: Session, project_id: int) -> list[ImageRow]:
    """Pictures that somebody finished and no reviewer refused, in the order they came."""
    done = (TaskRow.image_id == ImageRow.id) & (TaskRow.kind == "annotate") & (TaskRow.state == "done")
    query = select(ImageRow).join(TaskRow, done).where(ImageRow.project_id == project_id, ImageRow.review != "reject")
    return list(session.scalars(query.order_by(ImageRow.id)))


def _score(provenance: dict[str, Any], name: str) -> float:
    value = provenance.get(name)
    return float("nan") if value is None else float(value)
