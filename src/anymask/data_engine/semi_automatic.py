"""Stage 2 of the data engine: confident masks are found first and proposed; people accept, fix or drop them, and add
the rest.

A detector trained on the masks of stage 1 finds boxes on the embedding that is there already, the model answers them,
and what is confident, stable, no double and not there yet becomes a *proposed* mask (`proposals.py`). Nothing of it
counts until a person has said so. Here is which detector is in use, and on which pictures it is asked.
Source: arXiv 2304.02643, section 4, semi-automatic stage.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from anymask.data_engine import deployment, jobs, journal
from anymask.data_engine.blobs import Blobs
from anymask.data_engine.pictures import find_embedding
from anymask.data_engine.store import Database
from anymask.data_engine.tables import DetectorRow, ImageRow, JobRow, ProjectRow, TaskRow
from anymask.model.object_detector import ObjectDetector
from anymask.predict.object_boxes import ProposalConfig
from anymask.runs import from_plain, to_plain

STAGE = "semi_automatic"
PROPOSE = "propose"
"""The kind of job."""
HELD = "held"
"""Outcome of a job that proposed nothing because somebody had the picture: it may be asked for again."""
_AFTER_EMBEDDING = 1
"""Priority: a picture that is embedded gets its proposals before the next one is embedded."""


class Measured(Protocol):
    """What is known of a detector: `training.detector.DetectorReport`, or anything with these three numbers."""

    @property
    def confidence(self) -> float:
        """Boxes from this score on are shown."""
        ...

    @property
    def recall(self) -> float:
        """At that confidence."""
        ...

    @property
    def precision(self) -> float:
        """At that confidence."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class DeployedDetector:
    """A detector that is in use, or was."""

    id: int
    """Of the deployment: the same detector deployed again is another."""
    sha256: str
    model_sha256: str
    key: str
    """Of its file in the blob store."""
    confidence: float
    recall: float
    precision: float
    config: ProposalConfig
    deployed_at: datetime


def deploy_detector(
    database: Database,
    blobs: Blobs,
    detector: ObjectDetector,
    report: Measured,
    config: ProposalConfig | None = None,
) -> DeployedDetector:
    """Make `detector` the one that proposes for its model's embeddings, and ask for proposals in every project of this
    stage.

    Deployed again, an earlier detector is back in use; one that is in use is not deployed twice.

    Raises: StoreError.
    """
    config = config or ProposalConfig()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "detector.safetensors"
        detector.save(path)
        key = blobs.put_file(path)
    sha256, now = detector.sha256(), database.clock()
    facts = {"recall": report.recall, "precision": report.precision, "proposals": to_plain(config)}

    def deploy(session: Session) -> DeployedDetector:
        newest = select(DetectorRow).where(DetectorRow.model_sha256 == detector.model_sha256)
        row = session.scalar(newest.order_by(DetectorRow.id.desc()).limit(1))
        if row is None or (row.sha256, row.confidence, row.facts) != (sha256, report.confidence, facts):
            row = DetectorRow(
                sha256=sha256,
                model_sha256=detector.model_sha256,
                key=key,
                confidence=report.confidence,
                facts=facts,
                deployed_at=now,
            )
            session.add(row)
            session.flush()
            details = {"detector_sha256": sha256, "model_sha256": detector.model_sha256}
            journal.write(session, journal.Entry("deploy_detector", now, None, details=details))
        for project in session.scalars(select(ProjectRow)):
            if project.settings.get("stage") == STAGE:
                ask_all_proposals(session, project.id, now=now, model_sha256=detector.model_sha256)
        return _deployed(row)

    return database.write(deploy)


def find_detector(session: Session, model_sha256: str | None = None) -> DeployedDetector | None:
    """The detector in use for that model (without one, the newest of all); None when there is none."""
    query = select(DetectorRow).order_by(DetectorRow.id.desc()).limit(1)
    row = session.scalar(query if model_sha256 is None else query.where(DetectorRow.model_sha256 == model_sha256))
    return None if row is None else _deployed(row)


def ask_all_proposals(
    session: Session,
    project_id: int,
    *,
    now: datetime,
    model_sha256: str | None = None,
    priority: int = _AFTER_EMBEDDING,
) -> int:
    """See that every embedded picture of the project that waits for an annotator gets proposals; how many were asked
    for. One that is embedded later is asked about then.

    By the detector in use for `model_sha256`, without one for the current model. Does nothing when there is none.
    """
    now_served = deployment.current(session)
    served = None if now_served is None else now_served.model_sha256
    detector = find_detector(session, model_sha256 or served)
    if detector is None:
        return 0
    waiting = (
        (TaskRow.image_id == ImageRow.id) & (TaskRow.kind == "annotate") & (TaskRow.state.in_(("waiting", "leased")))
    )
    query = select(ImageRow).join(TaskRow, waiting).where(ImageRow.project_id == project_id).order_by(ImageRow.id)
    return sum(ask_proposals(session, image, detector, now, priority) for image in session.scalars(query))


def ask_proposals(
    session: Session, image: ImageRow, detector: DeployedDetector, now: datetime, priority: int = _AFTER_EMBEDDING
) -> bool:
    """See that the picture, if it is embedded, gets proposals of this detector; whether that had to be asked for."""
    if find_embedding(session, image.sha256, detector.model_sha256) is None:
        return False
    subject = f"{image.id}:{detector.id}"
    row = session.scalar(select(JobRow).where(JobRow.kind == PROPOSE, JobRow.subject == subject))
    if row is None:
        payload = {"image_id": image.id, "detector_id": detector.id, "model_sha256": detector.model_sha256}
        jobs.add_job(session, PROPOSE, subject, payload, now, project_id=image.project_id, priority=priority)
        return True
    if priority > row.priority and row.state in ("waiting", "running"):
        row.priority = priority
    if row.state == "done" and row.progress.get("outcome") in (None, HELD):
        # Somebody had the picture then, or another detector or stage had taken over; that may be otherwise by now.
        row.state, row.attempts, row.progress, row.updated_at = "waiting", 0, {}, now
        return True
    return False


def ask_after_embedding(session: Session, image_sha256: str, model_sha256: str, now: datetime) -> int:
    """Ask for proposals on the pictures that were just embedded, where their projects are in this stage; how many."""
    detector = find_detector(session, model_sha256)
    if detector is None:
        return 0
    query = select(ImageRow, ProjectRow).join(ProjectRow, ProjectRow.id == ImageRow.project_id)
    pairs = session.execute(query.where(ImageRow.sha256 == image_sha256)).all()
    in_stage = [image for image, project in pairs if project.settings.get("stage") == STAGE]
    return sum(ask_proposals(session, image, detector, now) for image in in_stage)


def _deployed(row: DetectorRow) -> DeployedDetector:
    return DeployedDetector(
        id=row.id,
        sha256=row.sha256,
        model_sha256=row.model_sha256,
        key=row.key,
        confidence=row.confidence,
        recall=float(row.facts["recall"]),
        precision=float(row.facts["precision"]),
        config=from_plain(ProposalConfig, row.facts["proposals"]),
        deployed_at=row.deployed_at,
    )
