"""Stage 3 of a turn: the model makes the masks of pictures that nobody annotated, as `anymask generate` does it."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from anymask.data_engine.automatic import CrewConfig, GenerateHooks, generate
from anymask.data_engine.blobs import Blobs
from anymask.data_engine.exports import label_name, put_member
from anymask.data_engine.generation.config import GenerateConfig
from anymask.data_engine.mask_rows import ACCEPTED
from anymask.data_engine.queue import ANNOTATE
from anymask.data_engine.store import Database
from anymask.data_engine.tables import ImageRow, MaskRow, TaskRow
from anymask.data_engine.turns.config import EngineConfig
from anymask.data_engine.turns.folder import StoppedError
from anymask.dataset.choose import part_of, sample_names
from anymask.errors import DatasetError
from anymask.images.sniff import SUFFIXES
from anymask.model.weights import load, model_hash

FOLDER, PICTURES = "generated", "pictures.tar"


@dataclass(frozen=True, kw_only=True, slots=True)
class Generated:
    """What the model made alone."""

    pictures: int
    masks: int
    masks_a_picture: float


class Hooks(Protocol):
    """The part of a turn's hooks that is needed here."""

    @property
    def progress(self) -> Callable[[int, int], None]:
        """Pictures done, and in all."""
        ...

    @property
    def should_stop(self) -> Callable[[], bool]:
        """Whether to end here and go on another time."""
        ...


def make_masks(
    database: Database,
    blobs: Blobs,
    project_id: int,
    folder: Path,
    weights: Path,
    config: EngineConfig,
    hooks: Hooks,
) -> Generated:
    """A dataset in `folder`/generated; pictures that people have worked on, and those held back, are not in it.

    Raises: StoppedError when it was told to; RunError, DatasetError as `generate`.
    """
    pictures = folder / PICTURES
    if not pictures.exists():
        rows = database.read(lambda session: _unseen(session, project_id, config))
        _pack(blobs, rows, pictures)
    with tarfile.open(pictures) as tar:
        if not tar.getmembers():
            return Generated(pictures=0, masks=0, masks_a_picture=0.0)
    wanted = config.generate
    asked = GenerateConfig(
        model=str(weights.absolute()),
        model_sha256=model_hash(load(weights)),
        preset=wanted.preset,
        points_per_side=wanted.points_per_side,
        device=config.device,
        name=f"{config.project}: masks of the model alone",
    )
    crew = CrewConfig(workers=wanted.workers, engine=wanted.engine, ray_address=wanted.ray_address)
    told = GenerateHooks(progress=hooks.progress, should_stop=hooks.should_stop)
    report = generate([str(pictures)], folder / FOLDER, asked, crew, hooks=told)
    if not report.finished or report.card is None:
        raise StoppedError
    count = report.card.pictures
    return Generated(
        pictures=count,
        masks=report.card.masks,
        masks_a_picture=report.card.masks / count if count else 0.0,
    )


def _unseen(session: Session, project_id: int, config: EngineConfig) -> list[ImageRow]:
    waiting = (TaskRow.image_id == ImageRow.id) & (TaskRow.kind == ANNOTATE) & (TaskRow.state == "waiting")
    worked_on = select(MaskRow.image_id).where(MaskRow.state == ACCEPTED, MaskRow.deleted.is_(False))
    query = select(ImageRow).join(TaskRow, waiting).where(ImageRow.project_id == project_id)
    query = query.where(ImageRow.review != "reject", ImageRow.id.not_in(worked_on))
    parts = {"train": 1 - config.held_share, "held": config.held_share}
    rows = {
        label_name(row): row
        for row in session.scalars(query.order_by(ImageRow.file_name))
        if part_of(label_name(row), parts, config.split_seed) == "train"
    }
    chosen = sample_names(rows, config.generate.pictures, config.split_seed) if rows else set()
    return [row for name, row in rows.items() if name in chosen]


def _pack(blobs: Blobs, rows: list[ImageRow], path: Path) -> None:
    """The pictures as one tar, whole or not there."""
    part = path.with_suffix(".part")
    try:
        with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar:
            for row in rows:
                put_member(tar, f"{label_name(row)}{SUFFIXES[row.media_type]}", blobs.read(row.pixels_key))
        part.replace(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be written ({error.strerror}); make room") from error
