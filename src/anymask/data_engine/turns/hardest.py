"""What people should look at first: the waiting pictures on which the model is least sure of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
import torch
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from anymask.data_engine.blobs import Blobs
from anymask.data_engine.embedding import read_embedding
from anymask.data_engine.pictures import find_embedding
from anymask.data_engine.queue import ANNOTATE
from anymask.data_engine.store import Database
from anymask.data_engine.tables import ImageRow, SkipRow, TaskRow
from anymask.data_engine.turns.config import HardestConfig
from anymask.masks.overlap import mask_iou
from anymask.masks.stability import stability_score
from anymask.model.weights import model_hash
from anymask.predict.predictor import Predictor
from anymask.prompts.grid import point_grid
from anymask.prompts.types import Prompt

_SCALE = 1_000_000
"""A priority is a whole number: the difficulty in millionths."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueOrder:
    """How the queue was filled and ordered."""

    pictures: int
    """That were looked at."""
    hardest: tuple[str, ...] = ()
    """File names of the first few."""
    returned: int = 0
    """Pictures that everybody had skipped, and that come again for the new model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """Annotation tasks that everybody had skipped when a new model came."""

    tasks: tuple[int, ...] = ()


def difficulty(predictor: Predictor, grid: int) -> float:
    """How unsure the model is of the picture that was set, in [0, 1].

    Over a grid of clicks, the mean of what its best mask lacks in predicted IoU, what it lacks in stability, and how
    far its masks are apart (one minus their IoU).
    """
    height, width = predictor.images[0].frame.original_hw
    unit = point_grid(grid)
    prompts = [Prompt(points_xy=np.array([[x * width, y * height]], np.float32)) for x, y in unit]
    found: list[float] = []
    for answer in predictor.predict_iter(prompts, multimask=True):
        best = answer.best
        logits = np.asarray(answer.logits, np.float32)
        masks = logits > predictor.model.mask_threshold
        apart = [1 - float(mask_iou(masks[a], masks[b])[0, 0]) for a, b in combinations(range(len(masks)), 2)]
        stability = float(stability_score(torch.from_numpy(logits[best]), predictor.model.mask_threshold))
        sure = float(np.clip(answer.predicted_iou[best], 0, 1))
        found.append(float(np.mean([1 - sure, 1 - stability, float(np.mean(apart)) if apart else 0.0])))
    return float(np.mean(found))


def order_queue(
    database: Database,
    blobs: Blobs,
    predictor: Predictor,
    project_id: int,
    config: HardestConfig,
    progress: Callable[[int, int], None],
) -> QueueOrder:
    """Give the waiting tasks of the project their priority, the hardest first.

    Raises: StoreError, ImageError.
    """
    rows = database.read(lambda session: _waiting(session, project_id, config.pictures))
    sha256 = model_hash(predictor.model)
    found: list[tuple[float, int, str]] = []
    for done, (task_id, image) in enumerate(rows, start=1):
        key = database.read(partial(find_embedding, image_sha256=image.sha256, model_sha256=sha256))
        if key is None:
            predictor.set_image(blobs.read(image.pixels_key))
        else:
            predictor.set_image(read_embedding(blobs, key, predictor.model, sha256))
        found.append((difficulty(predictor, config.grid), task_id, image.file_name))
        progress(done, len(rows))

    def write(session: Session) -> None:
        for value, task_id, _ in found:
            change = update(TaskRow).where(TaskRow.id == task_id)
            session.execute(change.values(priority=round(_SCALE * value)))

    database.write(write)
    hardest = sorted(found, reverse=True)[:5]
    return QueueOrder(pictures=len(found), hardest=tuple(name for _, _, name in hardest))


def _waiting(session: Session, project_id: int, most: int) -> list[tuple[int, ImageRow]]:
    query = (
        select(TaskRow.id, ImageRow)
        .join(ImageRow, ImageRow.id == TaskRow.image_id)
        .where(TaskRow.project_id == project_id, TaskRow.kind == ANNOTATE, TaskRow.state == "waiting")
    )
    # Pictures are taken by a hash of their pixels: any part of them is a fair sample.
    return [(task, image) for task, image in session.execute(query.order_by(ImageRow.sha256).limit(most))]


def find_skipped(session: Session, project_id: int) -> Skipped:
    """The annotation tasks of the project that everybody has skipped."""
    where = (TaskRow.project_id == project_id, TaskRow.kind == ANNOTATE, TaskRow.state == "skipped")
    return Skipped(tasks=tuple(session.scalars(select(TaskRow.id).where(*where).order_by(TaskRow.id))))


def return_skipped(session: Session, skipped: Skipped) -> None:
    """These tasks wait again, for everybody; one that somebody has opened meanwhile stays theirs."""
    # In one statement, so that none is opened between a look and the change.
    change = update(TaskRow).where(TaskRow.id.in_(skipped.tasks), TaskRow.state == "skipped")
    ids = list(session.scalars(change.values(state="waiting").returning(TaskRow.id)))
    session.execute(delete(SkipRow).where(SkipRow.task_id.in_(ids)))
