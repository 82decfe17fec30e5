"""Jobs that propose masks on pictures: a detector's boxes, answered by the model, as masks that wait for a person.

Proposals are replaced as long as nobody touched the picture, so that a better detector helps on all that still waits
in the queue. What a person dropped is not proposed again.
"""

from __future__ import annotations

import tempfile
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from anymask.data_engine import deployment, jobs, journal
from anymask.data_engine.blobs import Blobs
from anymask.data_engine.embedding import read_embedding
from anymask.data_engine.jobs import HeldJob
from anymask.data_engine.mask_rows import MODEL, PROPOSED, CheckedMask, Maker, check_mask, make_mask, to_rle
from anymask.data_engine.model_shelf import ModelShelf
from anymask.data_engine.pictures import find_embedding
from anymask.data_engine.semi_automatic import HELD, PROPOSE, STAGE, DeployedDetector, find_detector
from anymask.data_engine.store import Database
from anymask.data_engine.tables import ImageRow, MaskRow, ProjectRow, TaskRow
from anymask.errors import NotThereError
from anymask.masks.rle import to_json
from anymask.masks.types import Rle
from anymask.model.object_detector import ObjectDetector
from anymask.predict.embeddings import EmbeddedImage
from anymask.predict.object_boxes import ObjectMasks, find_masks
from anymask.predict.predictor import Predictor

_TOOL = "detector"
_LEFT = "left"
"""Outcome of a job that proposed nothing because somebody has worked on the picture."""
_KEPT_DETECTORS = 2
"""Detectors a worker keeps in memory: the one in use, and the one before while its jobs end."""


class Proposer:
    """Does jobs of kind `propose` with the model that each names."""

    def __init__(self, database: Database, blobs: Blobs, shelf: ModelShelf) -> None:
        self.database, self.blobs, self.shelf = database, blobs, shelf
        self._detectors: dict[str, ObjectDetector] = {}

    def __call__(self, held: HeldJob) -> None:
        """Propose masks on the picture of `held`; done again, the same ones.

        Nothing happens when the project has left the stage, a newer detector is in use, or somebody works or worked on
        the picture.

        Raises: EmbeddingMismatchError when the job's model is not to be had, ImageError, NotThereError, StoreError,
        LeaseLostError.
        """
        detector = self.database.read(lambda session: _still_wanted(session, held))
        if detector is None:
            return
        predictor = self.shelf.get(detector.model_sha256)
        head = self._load(detector).to(predictor.model.device)
        image_id = int(held.payload["image_id"])
        propose(self.database, self.blobs, predictor, head, detector, image_id, held)

    def _load(self, deployed: DeployedDetector) -> ObjectDetector:
        found = self._detectors.get(deployed.sha256)
        if found is None:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "detector.safetensors"
                path.write_bytes(self.blobs.read(deployed.key))
                found = ObjectDetector.load(path)
            while len(self._detectors) >= _KEPT_DETECTORS:
                self._detectors.pop(next(iter(self._detectors)))
            self._detectors[deployed.sha256] = found
        return found


def propose(
    database: Database,
    blobs: Blobs,
    predictor: Predictor,
    head: ObjectDetector,
    detector: DeployedDetector,
    image_id: int,
    held: HeldJob | None = None,
) -> list[str]:
    """Find masks on one picture and put them in the place of its untouched proposals; the ids of the new ones.

    With `held` that happens only while the worker holds the job, which learns its outcome.

    Raises: as `Proposer`.
    """
    image, existing = database.read(lambda session: _read(session, image_id))
    embedded = _embedding(database, blobs, predictor, image)
    found = find_masks(predictor, head, embedded, detector.confidence, existing=existing, config=detector.config)
    masks = _checked(found, detector, image, database.clock())
    return database.write(lambda session: _replace(session, image_id, detector, masks, held, database.clock()))


def _still_wanted(session: Session, held: HeldJob) -> DeployedDetector | None:
    """The detector of the job, when it is in use and the project still in this stage."""
    project = None if held.project_id is None else session.get(ProjectRow, held.project_id)
    detector = find_detector(session, held.payload["model_sha256"])
    if project is None or detector is None or detector.id != held.payload["detector_id"]:
        return None
    return detector if _is_in_use(session, project, detector) else None


def _is_in_use(session: Session, project: ProjectRow, detector: DeployedDetector) -> bool:
    """Whether the project is in this stage, and no newer detector, or one of a newer model, has taken over."""
    now_served = deployment.current(session)
    of_current = None if now_served is None else find_detector(session, now_served.model_sha256)
    in_use = of_current or find_detector(session, detector.model_sha256)
    return project.settings.get("stage") == STAGE and in_use is not None and in_use.id == detector.id


def _read(session: Session, image_id: int) -> tuple[ImageRow, list[Rle]]:
    """The picture, and its masks that are no untouched proposals: what people dropped must not come back either."""
    image = session.get(ImageRow, image_id)
    if image is None:
        raise NotThereError(f"there is no picture {image_id}; list the project's pictures")
    rows = session.scalars(select(MaskRow).where(MaskRow.image_id == image_id))
    return image, [to_rle(row, image) for row in rows if not is_untouched(row)]


def is_untouched(row: MaskRow) -> bool:
    """Whether a mask is a proposal that nobody did anything with."""
    return row.origin == MODEL and row.state == PROPOSED and row.version == 1 and not row.deleted


def _embedding(database: Database, blobs: Blobs, predictor: Predictor, image: ImageRow) -> EmbeddedImage:
    """The stored embedding of the picture, or a new one."""
    model_sha256 = predictor.model_sha256()
    key = database.read(lambda session: find_embedding(session, image.sha256, model_sha256))
    if key is None:
        return predictor.embed(blobs.read(image.pixels_key))
    embedded = read_embedding(blobs, key, predictor.model, model_sha256)
    embedded.check_image(image.sha256)
    return embedded


def _checked(
    found: ObjectMasks, detector: DeployedDetector, image: ImageRow, now: datetime
) -> list[tuple[str, CheckedMask]]:
    """The masks as rows take them, each with an id that depends on picture, detector and pixels alone."""
    namespace = uuid.uuid5(uuid.NAMESPACE_OID, f"{image.id}:{detector.sha256}")
    checked = []
    for index, mask in enumerate(found.masks.rles):
        x0, y0, x1, y1 = (float(edge) for edge in found.boxes.boxes_xyxy[index])
        made: dict[str, Any] = {
            "tool": _TOOL,
            "tools": [_TOOL],
            "prompts": [{"points": [], "box": {"x0": x0, "y0": y0, "x1": x1, "y1": y1}, "used_mask": False}],
            "model_sha256": detector.model_sha256,
            "detector_sha256": detector.sha256,
            "detector_score": float(found.boxes.scores[index]),
            "predicted_iou": float(found.masks.predicted_iou[index]),
            "stability": float(found.masks.stability[index]),
            "started_at": now.isoformat(),
            "finished_at": now.isoformat(),
            "clicks": 0,
            "active_ms": 0,
        }
        plain = to_json(mask)
        mask_id = str(uuid.uuid5(namespace, str(plain["counts"])))
        # The proposal is the model's first answer: what people make of it is measured against it.
        checked.append((mask_id, check_mask(plain, mask.size_hw, provenance=made, first_answer=plain)))
    return checked


def _replace(
    session: Session,
    image_id: int,
    detector: DeployedDetector,
    masks: list[tuple[str, CheckedMask]],
    held: HeldJob | None,
    now: datetime,
) -> list[str]:
    """Put `masks` in the place of the untouched proposals, if the picture is free and nobody has decided on any."""
    image = session.scalars(select(ImageRow).where(ImageRow.id == image_id).with_for_update()).one()
    state = _state(session, image_id, now)
    rows = list(session.scalars(select(MaskRow).where(MaskRow.image_id == image_id, MaskRow.origin == MODEL)))
    outcome = HELD if state == "leased" else _LEFT
    made: list[str] = []
    # Looked at again: the stage or the model may have changed while the masks were computed.
    if held is not None and not _is_in_use(session, session.get_one(ProjectRow, image.project_id), detector):
        outcome = HELD
    elif state == "waiting" and all(is_untouched(row) for row in rows):
        outcome = "proposed"
        for row in rows:
            session.delete(row)
        session.flush()
        maker = Maker(origin=MODEL, person_id=None, stage=STAGE, state=PROPOSED)
        made = [make_mask(session, image, mask_id, mask, maker, now).id for mask_id, mask in masks]
        details: dict[str, Any] = {"masks": len(made), "withdrawn": len(rows), "detector_sha256": detector.sha256}
        journal.write(session, journal.Entry(PROPOSE, now, None, image.project_id, image_id, details=details))
    if held is not None:
        message = (
            f"{len(made)} masks proposed" if outcome == "proposed" else "nothing proposed: somebody has the picture"
        )
        progress = {"outcome": outcome}
        jobs.report(session, held, now, done=1, total=1, message=message, progress=progress)
    return made


def _state(session: Session, image_id: int, now: datetime) -> str:
    """Of the picture's annotation task; one whose lease ran out waits."""
    query = select(TaskRow).where(TaskRow.image_id == image_id, TaskRow.kind == "annotate").with_for_update()
    task = session.scalar(query)
    if task is None:
        return "done"
    has_ended = task.state == "leased" and task.expires_at is not None and task.expires_at < now
    return "waiting" if has_ended else task.state
