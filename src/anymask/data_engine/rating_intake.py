"""A rating study from its folder into the database, as a project whose masks are rated."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from anymask.data_engine.blobs import Blobs
from anymask.data_engine.pictures import KeptPicture, image_row, keep_picture
from anymask.data_engine.projects import RATE, add_project
from anymask.data_engine.store import Database
from anymask.data_engine.tables import RatingItemRow, RatingStudyRow
from anymask.errors import InputError
from anymask.evaluation.rating.guide import guide
from anymask.evaluation.rating.study import Study, StudyPicture, StudyTarget

Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures in all)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudySettings:
    """How a study is put before raters."""

    name: str
    """Of its project; raters see it."""
    ratings_per_mask: int | None = None
    """How many people rate each mask; everybody all of them when None."""

    def __post_init__(self) -> None:
        if self.ratings_per_mask is not None and self.ratings_per_mask < 1:
            raise InputError(f"each mask is to be rated by {self.ratings_per_mask} people, expected 1 or more")


def find_study(session: Session, study: Study) -> RatingStudyRow | None:
    """The study's row, when it is in this database already."""
    return session.scalar(select(RatingStudyRow).where(RatingStudyRow.digest == study.digest))


def add_study(
    database: Database,
    blobs: Blobs,
    study: Study,
    settings: StudySettings,
    owner_id: int,
    progress: Progress | None = None,
) -> int:
    """The id of the study's project, made with all its masks at once unless it is there already.

    Raises: TakenError when another project has the name, InputError when the name tells a column, RunError when the
    study's files are damaged, StoreError.
    """
    known = database.read(lambda session: find_study(session, study))
    if known is not None:
        return known.project_id
    for column in study.columns:
        if column.lower() in settings.name.lower():
            raise InputError(f"the name {settings.name!r} tells raters of {column!r}; choose one that says no column")
    pictures = study.pictures()
    kept: list[KeptPicture] = []
    for done, picture in enumerate(pictures, start=1):
        kept.append(keep_picture(blobs, study.image_bytes(picture)))
        if progress is not None:
            progress(done, len(pictures))
    seed, now = secrets.randbits(62), database.clock()
    return database.write(
        lambda session: _add(session, study, settings, owner_id, list(zip(pictures, kept, strict=True)), seed, now)
    )


def _add(
    session: Session,
    study: Study,
    settings: StudySettings,
    owner_id: int,
    pictures: list[tuple[StudyPicture, KeptPicture]],
    seed: int,
    now: datetime,
) -> int:
    project = add_project(session, settings.name, guide(study.prompt), {}, owner_id, now, kind=RATE)
    jobs: list[tuple[int, StudyPicture, StudyTarget, str]] = []
    for number, (picture, kept) in enumerate(pictures, start=1):
        # Neutral names: a dataset's may say more than raters should know.
        image = image_row(project.id, f"{number:06d}", kept, now)
        session.add(image)
        session.flush()
        jobs += [(image.id, picture, target, column) for target in picture.targets for column in target.masks]
    places = np.random.default_rng(seed).permutation(len(jobs))
    # Rows go in by position, so that ids say nothing either.
    for position, index in enumerate(places):
        image_id, picture, target, column = jobs[index]
        session.add(
            RatingItemRow(
                project_id=project.id,
                image_id=image_id,
                position=position,
                column_name=column,
                set_name=picture.set_name,
                target=f"{picture.picture}#{target.map_index}.{target.label}",
                prompt={"point_xy": target.point_xy, "box_xyxy": target.box_xyxy},
                counts=target.masks[column].counts.decode(),
            )
        )
    session.add(
        RatingStudyRow(
            project_id=project.id,
            digest=study.digest,
            prompt=study.prompt,
            ratings_per_mask=settings.ratings_per_mask,
            order_seed=seed,
            items=len(jobs),
            facts={"columns": list(study.columns), "settings": asdict(settings)},
        )
    )
    session.flush()
    return project.id
