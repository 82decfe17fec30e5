"""Jobs that bring pictures and masks into a project, in any order of deaths and restarts, while people work on it.

A picture is known by its name and pixels, a mask by its picture and run lengths: what is there already is not added
again, so a job that begins anew ends with the same project. A worker that takes over goes on where the last one noted
how far it was, unless other pictures lie there now.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from anymask.data_engine import jobs, journal
from anymask.data_engine.blobs import Blobs
from anymask.data_engine.deployment import current
from anymask.data_engine.incoming import Incoming, Source, open_annotations, open_source, scores_of
from anymask.data_engine.jobs import HeldJob
from anymask.data_engine.mask_rows import IMPORT, CheckedMask, Maker, check_mask, make_mask
from anymask.data_engine.pictures import KeptPicture, add_picture, keep_picture
from anymask.data_engine.store import Database
from anymask.data_engine.tables import ImageRow, MaskRow, ProjectRow
from anymask.errors import AnymaskError, InputError, NotThereError, PathError, StoreError
from anymask.images.limits import ImageLimits
from anymask.masks.rle import to_json

FORMATS = ("folder", "coco", "sa1b", "labels")
_SAVE_EVERY = 20
_NAMESPACE = uuid.UUID("8f2c2b0e-6a55-4c0b-9d5b-6f0f0e5b7a11")
"""Of imported masks' ids, which follow from project, picture and run lengths."""


@dataclass(slots=True)
class _Tally:
    """How far an import is."""

    pictures: int = 0
    """Looked at, from the first."""
    masks: int = 0
    """New ones."""
    problems: list[str] = field(default_factory=list)
    """The first of them."""
    left_out: int = 0
    """All of them."""

    @classmethod
    def begun(cls, problems: list[str]) -> _Tally:
        """At the first picture, with what was left out before."""
        return cls(problems=problems[: jobs.MOST_PROBLEMS], left_out=len(problems))

    @classmethod
    def of(cls, progress: dict[str, Any]) -> _Tally:
        """As it was noted."""
        return cls(**{name: value for name, value in progress.items() if name != "names"})

    def leave_out(self, problem: str) -> None:
        """Count and name one that does not come in."""
        self.left_out += 1
        if len(self.problems) < jobs.MOST_PROBLEMS:
            self.problems.append(problem)


class Importer:
    """Does jobs of kind `import`."""

    def __init__(
        self, database: Database, blobs: Blobs, model_sha256: str | None, limits: ImageLimits | None = None
    ) -> None:
        """New pictures are to be embedded by the current model; by that of this hash where none is."""
        self.database, self.blobs, self.model_sha256 = database, blobs, model_sha256
        self.limits = limits or ImageLimits()

    def __call__(self, held: HeldJob) -> None:
        """Bring in all of it; each picture that is refused is named in the job, and the others come in.

        Raises: DatasetError, MaskError when nothing can be read, LeaseLostError.
        """
        assert held.project_id is not None
        source = self._open(held)
        names = _digest(source)
        # Other pictures than those that were counted may lie there now.
        tally = _Tally.of(held.progress) if held.progress.get("names") == names else _Tally.begun(source.problems)
        for item in source.items[tally.pictures :]:
            try:
                tally.masks += self._bring(held.project_id, item)
            except StoreError as error:
                if not isinstance(error, NotThereError) and "another picture called" not in str(error):
                    raise
                tally.leave_out(f"{item.file_name}: {error}")
            except (AnymaskError, OSError) as error:
                tally.leave_out(f"{item.file_name}: {error}")
            tally.pictures += 1
            if tally.pictures % _SAVE_EVERY == 0:
                self._report(held, len(source.items), tally, names)
        self._report(held, len(source.items), tally, names)

    def _open(self, held: HeldJob) -> Source:
        wanted = held.payload
        if "key" in wanted:
            return open_annotations(wanted["format"], wanted["file_name"], self.blobs.read(wanted["key"]))
        return open_source(wanted["format"], Path(wanted["path"]))

    def _bring(self, project_id: int, item: Incoming) -> int:
        """Masks that were new. A picture comes in with its masks at once, and without them when those are refused."""
        if item.picture is None:
            image = self.database.read(lambda session: _find(session, project_id, item.file_name))
            masks = _check((image.height, image.width), item, self.database.clock())
            return self.database.write(lambda session: self._add_masks(session, image.id, masks))
        kept = keep_picture(self.blobs, item.picture(), self.limits)
        try:
            masks = _check(kept.size_hw, item, self.database.clock())
        except AnymaskError:
            self.database.write(lambda session: self._add_picture(session, project_id, item.file_name, kept))
            raise

        def add(session: Session) -> int:
            image = self._add_picture(session, project_id, item.file_name, kept)
            return self._add_masks(session, image.id, masks)

        return self.database.write(add)

    def _add_picture(self, session: Session, project_id: int, name: str, kept: KeptPicture) -> ImageRow:
        deployed = current(session)
        sha256 = self.model_sha256 if deployed is None else deployed.model_sha256
        return add_picture(session, project_id, name, kept, self.database.clock(), sha256)

    def _add_masks(self, session: Session, image_id: int, masks: list[tuple[str, CheckedMask]]) -> int:
        if not masks:
            return 0
        image = session.scalars(select(ImageRow).where(ImageRow.id == image_id).with_for_update()).one()
        project = session.get_one(ProjectRow, image.project_id)
        there = set(session.scalars(select(MaskRow.id).where(MaskRow.image_id == image_id)))
        maker = Maker(origin=IMPORT, person_id=None, stage=str(project.settings.get("stage", "assisted")))
        named = [(str(uuid.uuid5(_NAMESPACE, f"{image.project_id}:{image.id}:{name}")), mask) for name, mask in masks]
        now, new = self.database.clock(), [pair for pair in named if pair[0] not in there]
        for mask_id, mask in new:
            make_mask(session, image, mask_id, mask, maker, now)
        if new:
            details = {"masks": len(new)}
            journal.write(session, journal.Entry("import", now, None, image.project_id, image_id, details=details))
        return len(new)

    def _report(self, held: HeldJob, total: int, tally: _Tally, names: str) -> None:
        message = f"{tally.pictures} of {total} pictures, {tally.masks} new masks, {tally.left_out} left out"
        progress = {"names": names, **asdict(tally)}

        def write(session: Session) -> None:
            now, done, problems = self.database.clock(), tally.pictures, tally.problems
            jobs.report(
                session, held, now, done=done, total=total, message=message, problems=problems, progress=progress
            )

        self.database.write(write)


def _check(size_hw: tuple[int, int], item: Incoming, now: datetime) -> list[tuple[str, CheckedMask]]:
    """The item's masks, each with a name of its own in its picture."""
    times: Counter[bytes] = Counter()
    found: list[tuple[str, CheckedMask]] = []
    for masks, labels in item.masks() if item.masks is not None else ():
        for index, (mask, label) in enumerate(zip(masks.rles, labels, strict=True)):
            if masks.area_px[index] == 0:
                continue
            made = {"tool": "import", "started_at": now.isoformat(), "finished_at": now.isoformat(), "active_ms": 0}
            point = masks.points_xy[index]
            if point[0] == point[0]:
                made["prompts"] = [{"points": [{"x": float(point[0]), "y": float(point[1])}]}]
            made |= scores_of(masks, index)
            checked = check_mask(to_json(mask), size_hw, label=label, provenance=made)
            digest = hashlib.sha256(checked.rle.counts).digest()
            times[digest] += 1
            found.append((f"{digest.hex()}:{times[digest]}", checked))
    return found


def check_import_path(path: str, roots: list[Path]) -> Path:
    """`path` on the server's machine, resolved; it must be one of `roots` or below one.

    Raises: InputError for an address, or when nothing may be imported by path; PathError for a path outside.
    """
    if "://" in path or path.lower().startswith(("file:", "http:", "https:", "data:", "ftp:")):
        raise InputError(
            f"{path[:200]!r} is an address; nothing is fetched from addresses: upload the pictures, or import a folder"
        )
    if not roots:
        raise InputError(
            "this server imports nothing by path; upload the pictures, or start it with --import-root FOLDER"
        )
    try:
        resolved = Path(path).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise PathError(f"the path {path[:200]!r} cannot be read ({error}); give a folder of this machine") from error
    if not any(resolved.is_relative_to(root.resolve()) for root in roots):
        raise PathError(
            f"{path[:200]!r} is not below a folder that may be imported; those are {', '.join(map(str, roots))}"
        )
    return resolved


def _digest(source: Source) -> str:
    """Of the names of its pictures, in their order."""
    digest = hashlib.sha256()
    for item in source.items:
        digest.update(item.file_name.encode() + b"\0")
    return digest.hexdigest()


def _find(session: Session, project_id: int, name: str) -> ImageRow:
    """The picture of that name, or the only one whose last part or stem it is."""
    own = select(ImageRow).where(ImageRow.project_id == project_id)
    rows = list(session.scalars(own.where(ImageRow.file_name == name)))
    if not rows:
        alike = session.scalars(own.where(ImageRow.file_name.contains(name, autoescape=True)))
        rows = [row for row in alike if name in (Path(row.file_name).name, Path(row.file_name).stem)]
    if len(rows) != 1:
        what = "no picture" if not rows else f"{len(rows)} pictures"
        raise NotThereError(f"the project has {what} called {name!r}; add the picture first, or give its full name")
    return rows[0]
