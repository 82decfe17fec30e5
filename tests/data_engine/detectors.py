"""A small model with a detector that finds something nearly everywhere, for tests of proposals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import torch
from sqlalchemy import select, update

from anymask.data_engine import pictures
from anymask.data_engine.embedding import Embedder
from anymask.data_engine.jobs import HeldJob, finish, take_job
from anymask.data_engine.mask_rows import PROPOSED, list_masks
from anymask.data_engine.model_shelf import ModelShelf
from anymask.data_engine.proposals import Proposer
from anymask.data_engine.semi_automatic import DeployedDetector, deploy_detector
from anymask.data_engine.tables import ImageRow, JobRow, MaskRow, ProjectRow, TaskRow
from anymask.model.object_detector import ObjectDetector, ObjectDetectorConfig
from anymask.predict.object_boxes import ProposalConfig
from anymask.predict.predictor import Predictor
from tests.data_engine.world import World, draw_picture

ANY = ProposalConfig(predicted_iou=0, stability=0, nms_threshold=0.9, max_area_share=1, most=6)


@dataclass(frozen=True)
class Numbers:
    """What a training would have measured."""

    confidence: float = 0.0
    recall: float = 0.5
    precision: float = 0.8


def detector_of(predictor: Predictor, seed: int = 0) -> ObjectDetector:
    torch.manual_seed(seed)
    config = ObjectDetectorConfig.reading(predictor.model, width=16, depth=1)
    detector = ObjectDetector(config, predictor.model_sha256()).eval()
    torch.nn.init.normal_(detector.score.weight, std=0.5)
    return detector


class SemiAutomatic:
    """A project of the second stage in a world, and the worker that proposes."""

    def __init__(self, world: World, predictor: Predictor) -> None:
        self.world, self.predictor = world, predictor
        self.shelf = ModelShelf(world.database, world.blobs, lambda: predictor.model)
        self.proposer = Proposer(world.database, world.blobs, self.shelf)
        self.project = world.add_project("second stage", stage="semi_automatic")
        # Tasks are asked for in this project.
        world.project = self.project

    def add_picture(self, seed: int = 0, project: ProjectRow | None = None, *, is_embedded: bool = True) -> ImageRow:
        kept = pictures.keep_picture(self.world.blobs, draw_picture(seed))
        project_id, sha256 = (project or self.project).id, self.predictor.model_sha256()
        row = self.world.database.write(
            lambda s: pictures.add_picture(s, project_id, f"{seed}.png", kept, self.world.clock(), sha256)
        )
        if is_embedded:
            self.embed_all()
        return row

    def embed_all(self) -> None:
        """Do all jobs that embed."""
        embedder = Embedder(self.world.database, self.world.blobs, self.shelf)
        while (held := self.take("embed")) is not None:
            embedder(held)
            self.end(held)

    def deploy(self, seed: int = 0, **numbers: float) -> DeployedDetector:
        detector = detector_of(self.predictor, seed)
        return deploy_detector(self.world.database, self.world.blobs, detector, Numbers(**numbers), ANY)

    def take(self, kind: str = "propose") -> HeldJob | None:
        return self.world.database.write(lambda session: take_job(session, [kind], self.world.clock()))

    def work(self) -> int:
        """Do all jobs that propose; how many there were."""
        count = 0
        while (held := self.take()) is not None:
            self.proposer(held)
            self.end(held)
            count += 1
        return count

    def end(self, held: HeldJob) -> None:
        self.world.database.write(lambda session: finish(session, held, self.world.clock()))

    def masks(self, image: ImageRow) -> list[MaskRow]:
        return self.world.database.read(lambda session: list_masks(session, image.id, with_deleted=True))

    def proposed(self, image: ImageRow) -> list[MaskRow]:
        return [row for row in self.masks(image) if row.state == PROPOSED]

    def jobs(self) -> list[JobRow]:
        query = select(JobRow).where(JobRow.kind == "propose").order_by(JobRow.id)
        return self.world.database.read(lambda session: list(session.scalars(query)))

    def set_task(self, image: ImageRow, state: str, until: datetime | None = None) -> None:
        change: Any = update(TaskRow).where(TaskRow.image_id == image.id).values(state=state, expires_at=until)
        self.world.database.write(lambda session: session.execute(change))
