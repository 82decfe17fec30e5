"""Jobs that write a project as one tar file: SA-1B, COCO or label maps, each as `anymask.dataset` reads it.

Pictures go in one by one, in short transactions, while people work; each is as it was at its own moment. The file grows
beside the store; how far it is good is noted in the job, so that a worker that takes over cuts it there and goes on, as
soon as the one before has left the file.
"""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import filelock
import numpy as np
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from anymask.data_engine import jobs
from anymask.data_engine.blobs import Blobs
from anymask.data_engine.coco_spool import CocoSpool, has_all, open_spool, remove_spool
from anymask.data_engine.jobs import HeldJob
from anymask.data_engine.mask_notes import notes_of
from anymask.data_engine.mask_rows import ACCEPTED, PROPOSED, list_masks, to_rle
from anymask.data_engine.store import Database
from anymask.data_engine.tables import ImageRow, JobRow, MaskRow, TaskRow
from anymask.dataset.formats.png import encode_labels
from anymask.dataset.formats.sa1b import to_sa1b
from anymask.dataset.pairs import is_sa1b_name
from anymask.dataset.provenance import Notes, add_notes
from anymask.errors import StoreError
from anymask.images.load import load_image
from anymask.images.upright import encode_lossless
from anymask.masks.sets import set_from_rles, to_layers
from anymask.masks.types import MaskSet

FORMATS = ("coco", "sa1b", "labels")
_SAVE_EVERY = 25
_ALIVE_S = 10.0
"""How often a file that is being stored is said to be, so that it is not held for hung."""
_WAIT_S = 60.0
"""For a worker that lost the job to leave its file."""
_JPEG_QUALITY = 95
"""Of pictures that were no JPEG, in SA-1B's form, which holds nothing else."""
_PART = re.compile(r"export-(\d+)\.tar\.(?:part|images|annotations)")
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
        (self.folder / "locks").mkdir(parents=True, exist_ok=True)
        self._clear()
        with self._alone(held):
            return self._write(held)

    @contextmanager
    def _alone(self, held: HeldJob) -> Iterator[None]:
        """Nobody else writes this export's files; a worker that lost the job does so until its next report."""
        lock = filelock.FileLock(self.folder / "locks" / f"export-{held.id}", timeout=_WAIT_S)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise StoreError(f"another worker still writes export {held.id} after {_WAIT_S:g} s; try again") from error
        try:
            # Others may have had the job meanwhile, and the files are further than this one knows.
            self.database.write(lambda session: jobs.renew(session, held, self.database.clock()))
            yield
        finally:
            lock.release()

    def _write(self, held: HeldJob) -> str:
        part = self.folder / f"export-{held.id}.tar.part"
        ids = self.database.read(lambda session: _image_ids(session, held))
        with ExitStack() as stack:
            stream = stack.enter_context(part.open("r+b" if part.exists() else "w+b"))
            noted = held.progress if _is_good(held.progress, part) else {}
            stream.truncate(noted.get("offset", 0))
            stream.seek(0, os.SEEK_END)
            spool = None
            if held.payload["format"] == "coco":
                spool = stack.enter_context(open_spool(part, noted.get("coco", {})))
            with tarfile.TarFile(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
                for place, image_id in enumerate(ids[noted.get("images", 0) :], noted.get("images", 0) + 1):
                    self._add(tar, held, image_id, spool)
                    if place % _SAVE_EVERY == 0 or place == len(ids):
                        self._save(held, tar, stream, spool, place, len(ids))
                if spool is not None:
                    spool.write_into(tar)
            stream.flush()
            os.fsync(stream.fileno())
        return self._store(held, part, len(ids))

    def _clear(self) -> None:
        """Remove what exports that were cancelled have left; one that is asked for again begins anew."""
        query = select(JobRow.id).where(JobRow.kind == "export", JobRow.state == "cancelled")
        cancelled = self.database.read(lambda session: set(session.scalars(query)))
        for file in self.folder.glob("export-*"):
            found = _PART.fullmatch(file.name)
            if found is not None and int(found[1]) in cancelled:
                file.unlink(missing_ok=True)

    def _add(self, tar: tarfile.TarFile, held: HeldJob, image_id: int, spool: CocoSpool | None) -> None:
        image, masks, labels, notes = self._read(held, image_id)
        data, form = self.blobs.read(image.pixels_key), held.payload["format"]
        if spool is not None:
            put_member(tar, f"images/{image.file_name}", data)
            spool.add(image.id, image.file_name, masks, labels)
        elif form == "sa1b":
            name = sa1b_name(image)
            put_member(tar, f"{name}.jpg", data if image.media_type == "image/jpeg" else _to_jpeg(data))
            plain = add_notes(to_sa1b(masks, image.id, f"{name}.jpg"), notes)
            put_member(tar, f"{name}.json", json.dumps(plain).encode())
        else:
            for name, member in label_members(image, data, masks):
                put_member(tar, name, member)

    def _store(self, held: HeldJob, part: Path, total: int) -> str:
        """The file's key; says now and then that it is on its way."""
        said = time.monotonic()

        def on_part() -> None:
            nonlocal said
            if time.monotonic() - said > _ALIVE_S:
                said = time.monotonic()
                self._report(held, total, total, f"{total} pictures, the file is being stored")

        self._report(held, total, total, f"{total} pictures, the file is being stored")
        key = self.blobs.put_file(part, on_part)
        remove_spool(part)
        self._report(held, total, total, f"{total} of {total} pictures")
        return key

    def _read(self, held: HeldJob, image_id: int) -> tuple[ImageRow, MaskSet, list[str | None], Notes]:
        return self.database.read(lambda session: _contents(session, image_id, held))

    def _save(
        self, held: HeldJob, tar: tarfile.TarFile, stream: BinaryIO, spool: CocoSpool | None, place: int, total: int
    ) -> None:
        stream.flush()
        os.fsync(stream.fileno())
        noted: dict[str, Any] = {"images": place, "offset": int(tar.offset)}
        if spool is not None:
            noted["coco"] = spool.note()
        self._report(held, place, total, f"{place} of {total} pictures", noted)

    def _report(
        self, held: HeldJob, done: int, total: int, message: str, progress: dict[str, Any] | None = None
    ) -> None:
        def write(session: Session) -> None:
            now = self.database.clock()
            jobs.report(session, held, now, done=done, total=total, message=message, progress=progress)

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


def _is_good(noted: dict[str, Any], part: Path) -> bool:
    """Whether what was noted is here; it is not when another machine's worker began the file."""
    return part.stat().st_size >= noted.get("offset", 0) and has_all(part, noted.get("coco", {}))


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
    # The other forms have no place for them.
    has_notes = held.payload["format"] == "sa1b"
    notes = notes_of(session, image, rows, Notes(source=image.file_name)) if has_notes else Notes()
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
