"""Jobs that write a project as one tar file: SA-1B, COCO or label maps, each as `anymask.dataset` reads it.

Pictures go in one by one, in short transactions, while people work. The file grows beside the store; how far it is good
is noted in the job, so that a worker that takes over cuts it there and goes on.
"""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from anymask.data_engine import jobs
from anymask.data_engine.blobs import Blobs
from anymask.data_engine.jobs import HeldJob
from anymask.data_engine.mask_notes import notes_of
from anymask.data_engine.mask_rows import ACCEPTED, PROPOSED, list_masks, to_rle
from anymask.data_engine.store import Database
from anymask.data_engine.tables import ImageRow, MaskRow, TaskRow
from anymask.dataset.formats.coco import OBJECT, CocoPicture, to_coco
from anymask.dataset.formats.png import encode_labels
from anymask.dataset.formats.sa1b import to_sa1b
from anymask.dataset.pairs import is_sa1b_name
from anymask.dataset.provenance import Notes, add_notes
from anymask.images.load import load_image
from anymask.images.upright import encode_lossless
from anymask.masks.sets import set_from_rles, to_layers
from anymask.masks.types import MaskSet

FORMATS = ("coco", "sa1b", "labels")
_SAVE_EVERY = 25
_JPEG_QUALITY = 95
"""Of pictures that were no JPEG, in SA-1B's form, which holds nothing else."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class Exporter:
    """Does jobs of kind `export`."""

    def __init__(self, database: Database, blobs: Blobs, folder: Path) -> None:
        """Files grow in `folder`, best on the same disk as the store."""
        self.database, self.blobs, self.folder = database, blobs, folder

    def __call__(self, held: HeldJob) -> str:
        """The key of the whole file.

        Raises: StoreError, LeaseLostError.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"export-{held.id}.tar.part"
        ids = self.database.read(lambda session: _image_ids(session, held))
        with part.open("r+b" if part.exists() else "w+b") as stream:
            first = _begin(stream, held, part)
            with tarfile.TarFile(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
                for place, image_id in enumerate(ids[first:], first + 1):
                    self._add(tar, held, image_id)
                    if place % _SAVE_EVERY == 0:
                        self._save(held, tar, stream, place, len(ids))
                if held.payload["format"] == "coco":
                    self._add_coco(tar, held, ids)
            stream.flush()
            os.fsync(stream.fileno())
        self._report(held, len(ids), len(ids), None)
        return self.blobs.put_file(part)

    def _add(self, tar: tarfile.TarFile, held: HeldJob, image_id: int) -> None:
        image, masks, _, notes = self._read(held, image_id)
        data, form = self.blobs.read(image.pixels_key), held.payload["format"]
        if form == "coco":
            put_member(tar, f"images/{image.file_name}", data)
        elif form == "sa1b":
            name = sa1b_name(image)
            put_member(tar, f"{name}.jpg", data if image.media_type == "image/jpeg" else _to_jpeg(data))
            plain = add_notes(to_sa1b(masks, image.id, f"{name}.jpg"), notes)
            put_member(tar, f"{name}.json", json.dumps(plain).encode())
        else:
            for name, member in label_members(image, data, masks):
                put_member(tar, name, member)

    def _add_coco(self, tar: tarfile.TarFile, held: HeldJob, ids: list[int]) -> None:
        names: dict[str, int] = {}
        pictures: list[CocoPicture] = []
        for image_id in ids:
            image, masks, labels, _ = self._read(held, image_id)
            categories = tuple(names.setdefault(label or "object", len(names) + OBJECT) for label in labels)
            pictures.append(
                CocoPicture(image_id=image.id, file_name=image.file_name, masks=masks, category_ids=categories)
            )
        categories_by_id = {number: name for name, number in names.items()} or None
        put_member(tar, "annotations.json", json.dumps(to_coco(pictures, categories_by_id)).encode())

    def _read(self, held: HeldJob, image_id: int) -> tuple[ImageRow, MaskSet, list[str | None], Notes]:
        return self.database.read(lambda session: _contents(session, image_id, held))

    def _save(self, held: HeldJob, tar: tarfile.TarFile, stream: BinaryIO, place: int, total: int) -> None:
        stream.flush()
        os.fsync(stream.fileno())
        self._report(held, place, total, {"images": place, "offset": int(tar.offset)})

    def _report(self, held: HeldJob, done: int, total: int, progress: dict[str, Any] | None) -> None:
        def write(session: Session) -> None:
            now = self.database.clock()
            jobs.report(
                session, held, now, done=done, total=total, message=f"{done} of {total} pictures", progress=progress
            )

        self.database.write(write)


def sa1b_name(image: ImageRow) -> str:
    """The picture's name in SA-1B's form, without suffix: its own when it has that form already."""
    own = PurePosixPath(image.file_name)
    return own.stem if is_sa1b_name(str(own.with_suffix(".jpg"))) else f"sa_p{image.id}"


def label_name(image: ImageRow) -> str:
    """`SET/ID`: the picture's own folder and name where they are of that form."""
    path = PurePosixPath(image.file_name)
    folder = _UNSAFE.sub("_", "_".join(path.parts[:-1])).lstrip(".") or "pictures"
    stem = _UNSAFE.sub("_", path.stem).lstrip(".") or "picture"
    is_own = len(path.parts) <= 2 and f"{folder}/{stem}" in (f"{path.parent}/{path.stem}", f"pictures/{path.stem}")
    return f"{folder}/{stem}" if is_own else f"{folder}/{stem}_{image.id}"


def label_members(image: ImageRow, data: bytes, masks: MaskSet) -> list[tuple[str, bytes]]:
    """The picture and its label maps as members of a shard: name and content of each."""
    # A .png beside label maps would be taken for one.
    if image.media_type == "image/png":
        data = encode_lossless(load_image(data)).data
    suffix = ".jpg" if image.media_type == "image/jpeg" else ".webp"
    name = label_name(image)
    layers = [(f"{name}__{index}.png", encode_labels(labels)) for index, labels in enumerate(to_layers(masks))]
    return [(f"{name}{suffix}", data), *layers]


def _begin(stream: BinaryIO, held: HeldJob, part: Path) -> int:
    """Cut the file where it is good; how many pictures are in it."""
    images, offset = int(held.progress.get("images", 0)), int(held.progress.get("offset", 0))
    if part.stat().st_size < offset:  # another machine's worker began it
        images, offset = 0, 0
    stream.truncate(offset)
    stream.seek(offset)
    return images


def _image_ids(session: Session, held: HeldJob) -> list[int]:
    """The pictures to write; those that came after the job was asked for are not among them."""
    query = select(ImageRow.id).where(ImageRow.project_id == held.project_id, ImageRow.review != "reject")
    query = query.where(ImageRow.id <= held.payload["last_image_id"])
    if held.payload["only_finished"]:
        done = (TaskRow.image_id == ImageRow.id) & (TaskRow.kind == "annotate") & (TaskRow.state == "done")
        query = query.join(TaskRow, done)
    return list(session.scalars(query.order_by(ImageRow.id)))


def _contents(session: Session, image_id: int, held: HeldJob) -> tuple[ImageRow, MaskSet, list[str | None], Notes]:
    image = session.get_one(ImageRow, image_id)
    states = (ACCEPTED, PROPOSED) if held.payload["with_proposed"] else (ACCEPTED,)
    rows = [row for row in list_masks(session, image_id) if row.state in states]
    notes = notes_of(session, image, rows, Notes(source=image.file_name))
    return image, _mask_set(image, rows), [row.label for row in rows], notes


def _mask_set(image: ImageRow, rows: list[MaskRow]) -> MaskSet:
    return set_from_rles(
        [to_rle(row, image) for row in rows],
        (image.height, image.width),
        predicted_iou=np.array([_score(row, "predicted_iou") for row in rows]),
        stability=np.array([_score(row, "stability") for row in rows]),
        points_xy=np.array([_point(row) for row in rows]).reshape(-1, 2),
    )


def _score(row: MaskRow, name: str) -> float:
    value = row.provenance.get(name)
    return float("nan") if value is None else float(value)


def _point(row: MaskRow) -> tuple[float, float]:
    points: Iterator[dict[str, Any]] = (
        point for prompt in row.provenance.get("prompts", []) for point in prompt.get("points", [])
    )
    first = next((point for point in points if point.get("foreground", True)), None)
    return (float("nan"), float("nan")) if first is None else (float(first["x"]), float(first["y"]))


def put_member(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a file to the archive; without times, so that the same content gives the same bytes."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def _to_jpeg(data: bytes) -> bytes:
    file = io.BytesIO()
    Image.fromarray(load_image(data).pixels).save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return file.getvalue()
