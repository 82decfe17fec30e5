"""A small project to test on: three people, pictures drawn here, masks as rectangles."""

from __future__ import annotations

import hashlib
import io
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from PIL import Image

from anymask.data_engine import people, pictures, projects, queue
from anymask.data_engine.assisted import Answer, Change, ChangeKind
from anymask.data_engine.blobs import Blobs
from anymask.data_engine.mask_rows import CheckedMask, check_mask
from anymask.data_engine.people import Identity
from anymask.data_engine.saving import Save, store
from anymask.data_engine.store import Database
from anymask.data_engine.tables import ImageRow, ProjectRow, TaskRow
from anymask.errors import AnymaskError
from anymask.masks import rle

MODEL = "a" * 64
SIZE_HW = (40, 60)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def draw_picture(seed: int = 0, size_hw: tuple[int, int] = SIZE_HW, form: str = "PNG", **options: Any) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (*size_hw, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def rectangle(x0: int, y0: int, x1: int, y1: int, size_hw: tuple[int, int] = SIZE_HW) -> dict[str, Any]:
    mask = np.zeros(size_hw, bool)
    mask[y0:y1, x0:x1] = True
    return rle.to_json(rle.encode(mask))


def provenance(**changes: Any) -> dict[str, Any]:
    at = "2026-05-01T12:00:00+00:00"
    return {"tool": "click", "clicks": 1, "started_at": at, "finished_at": at, "active_ms": 2000, **changes}


def checked(box: tuple[int, int, int, int] = (2, 3, 10, 12), **options: Any) -> CheckedMask:
    options = {"provenance": provenance(model_sha256=MODEL), **options}
    return check_mask(rectangle(*box), SIZE_HW, **options)


class World:
    """Ada (admin), Rob (reviewer), Ann and Bob (annotators), one project."""

    def __init__(self, database: Database, blobs: Blobs, clock: Clock) -> None:
        self.database, self.blobs, self.clock = database, blobs, clock
        self.tokens: dict[int, str] = {}
        self.ada, self.rob, self.ann, self.bob = (
            self.add_person(name, role)
            for name, role in (("Ada", "admin"), ("Rob", "reviewer"), ("Ann", "annotator"), ("Bob", "annotator"))
        )
        self.project = self.add_project("cups")

    def add_person(self, name: str, role: str) -> Identity:
        row = self.database.write(lambda session: people.add_person(session, name, role, None, self.clock()))
        self.tokens[row.id] = self.database.write(lambda s: people.begin_session(s, row.id, self.clock()))
        return Identity(row.id, row.name, row.role)

    def add_project(self, name: str, **settings: Any) -> ProjectRow:
        def add(session: Any) -> ProjectRow:
            row = projects.add_project(session, name, None, settings, self.ada.id, self.clock())
            for person in (self.rob, self.ann, self.bob):
                projects.add_member(session, row.id, person.id)
            return row

        return self.database.write(add)

    def add_picture(self, name: str = "one.png", seed: int = 0, project: ProjectRow | None = None) -> ImageRow:
        kept = pictures.keep_picture(self.blobs, draw_picture(seed))
        project_id = (project or self.project).id
        return self.database.write(
            lambda session: pictures.add_picture(session, project_id, name, kept, self.clock(), MODEL)
        )

    def add_pictures(self, count: int) -> list[ImageRow]:
        return [self.add_picture(f"{index}.png", index) for index in range(count)]

    def next_task(self, asker: Identity, **options: Any) -> TaskRow | None:
        found = self.database.write(
            lambda session: queue.next_task(session, asker, self.project, self.clock(), **options)
        )
        return None if found is None else found[0]

    def lease(self, asker: Identity) -> queue.Lease:
        task = self.next_task(asker)
        assert task is not None
        return queue.Lease(task.id, task.token)

    def save(self, asker: Identity, image: ImageRow, *changes: Change, lease: queue.Lease | None = None) -> Save:
        return Save(token=self.tokens[asker.id], image_id=image.id, lease=lease, changes=changes)

    def apply(self, asker: Identity, image: ImageRow, *changes: Change, lease: queue.Lease | None = None) -> Answer:
        save = self.save(asker, image, *changes, lease=lease)
        (answer,) = self.database.write(lambda session: store(session, [save], self.clock(), skip_locked=False))
        assert answer is not None
        if isinstance(answer, AnymaskError):
            raise answer
        return answer

    def change(self, kind: ChangeKind, mask_id: str | None = None, **options: Any) -> Change:
        key = options.pop("key", uuid.uuid4().hex)
        values = {
            "key": key,
            "kind": kind,
            "mask_id": mask_id or str(uuid.uuid4()),
            "base_version": None,
            "mask": checked() if kind in ("create", "replace") else None,
            "label": None,
            "at": self.clock(),
            **options,
        }
        digest = hashlib.sha256(repr(sorted(values.items(), key=str)).encode()).hexdigest()
        return Change(**{"digest": digest, **values})
