"""A dataset version: the masks that were accepted at one moment, cut by picture into what is learned from and what not.

Which masks, and which version of each, is fixed first; what people do meanwhile goes into the next version.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from anymask.data_engine.blobs import Blobs
from anymask.data_engine.exports import label_members, label_name, put_member
from anymask.data_engine.mask_rows import ACCEPTED, to_rle
from anymask.data_engine.store import Database
from anymask.data_engine.tables import ImageRow, MaskRow, MaskVersionRow, TaskRow
from anymask.dataset.choose import part_of
from anymask.errors import DatasetError
from anymask.masks.rle import from_json
from anymask.masks.sets import set_from_rles
from anymask.masks.types import Rle

TRAIN, HELD = "train", "held"


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskChoice:
    """One mask, as it was at one moment."""

    mask: str
    version: int
    image: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetVersion:
    """What a turn learns from."""

    content_sha256: str
    """Of the pictures' pixels, their part and every mask: the same content has the same hash anywhere."""
    pictures: dict[str, int]
    """By part: train and held."""
    masks: dict[str, int]
    """By part."""
    sets: dict[str, int]
    """Training pictures of each set, by name."""


def choose_masks(session: Session, project_id: int) -> list[MaskChoice]:
    """The accepted masks of the pictures that are done (and not rejected), by picture and order of creation."""
    done = (TaskRow.image_id == ImageRow.id) & (TaskRow.kind == "annotate") & (TaskRow.state == "done")
    query = (
        select(MaskRow.id, MaskRow.version, MaskRow.image_id)
        .join(ImageRow, ImageRow.id == MaskRow.image_id)
        .join(TaskRow, done)
        .where(ImageRow.project_id == project_id, ImageRow.review != "reject")
        .where(MaskRow.state == ACCEPTED, MaskRow.deleted.is_(False))
    )
    rows = session.execute(query.order_by(ImageRow.file_name, MaskRow.order))
    return [MaskChoice(mask=mask, version=version, image=image) for mask, version, image in rows]


def refuse_nothing(
    session: Session, choices: Iterable[MaskChoice], held_share: float, seed: int, *, needs_held: bool
) -> None:
    """Raises DatasetError when none of the masks is on a picture that is learned from, or, with `needs_held`, on one
    that is held back."""
    parts = {TRAIN: 1 - held_share, HELD: held_share}
    images = dict.fromkeys(choice.image for choice in choices)
    found = {part_of(label_name(session.get_one(ImageRow, image)), parts, seed) for image in images}
    if TRAIN not in found:
        raise DatasetError(
            "no accepted mask of a finished picture is there to learn from; annotate and finish pictures first"
        )
    if needs_held and HELD not in found:
        raise DatasetError(
            f"none of the {len(images)} pictures with masks is held back, so nothing could tell whether a model is "
            "better; finish more pictures, name labelled data in score.benchmark, or raise held_share"
        )


def freeze(
    database: Database,
    blobs: Blobs,
    choices: Iterable[MaskChoice],
    folder: Path,
    *,
    held_share: float,
    seed: int,
) -> DatasetVersion:
    """Write `train.tar` and `held.tar` of label maps into `folder`; the same choices give the same content.

    Raises: StoreError.
    """
    folder.mkdir(exist_ok=True)
    by_image: dict[int, list[MaskChoice]] = {}
    for choice in choices:
        by_image.setdefault(choice.image, []).append(choice)
    digest = hashlib.sha256()
    pictures, masks, sets = Counter({TRAIN: 0, HELD: 0}), Counter({TRAIN: 0, HELD: 0}), Counter[str]()
    parts = {TRAIN: 1 - held_share, HELD: held_share}
    with ExitStack() as opened:
        tars = {
            part: opened.enter_context(tarfile.open(folder / f"{part}.tar", "w", format=tarfile.PAX_FORMAT))
            for part in parts
        }
        for image_id, chosen in by_image.items():
            image, rles = database.read(partial(_read, image_id=image_id, chosen=chosen))
            name = label_name(image)
            part = part_of(name, parts, seed)
            digest.update(f"{part} {name} {image.sha256}\n".encode())
            for one in rles:
                digest.update(one.counts + b"\n")
            for member, data in label_members(
                image, blobs.read(image.pixels_key), set_from_rles(rles, rles[0].size_hw)
            ):
                put_member(tars[part], member, data)
            pictures[part] += 1
            masks[part] += len(rles)
            sets[name.split("/", 1)[0]] += part == TRAIN
    return DatasetVersion(
        content_sha256=digest.hexdigest(),
        pictures=dict(pictures),
        masks=dict(masks),
        sets={name: count for name, count in sorted(sets.items()) if count},
    )


def _read(session: Session, image_id: int, chosen: list[MaskChoice]) -> tuple[ImageRow, list[Rle]]:
    image = session.get_one(ImageRow, image_id)
    return image, [_as_it_was(session, image, choice) for choice in chosen]


def _as_it_was(session: Session, image: ImageRow, choice: MaskChoice) -> Rle:
    row = session.get_one(MaskRow, choice.mask)
    if row.version == choice.version:
        return to_rle(row, image)
    older = session.get_one(MaskVersionRow, (choice.mask, choice.version))
    plain: dict[str, Any] = older.mask
    return from_json(plain["rle"])
