"""Pictures of a project: taken in through the gate, kept as upright files without metadata, listed with their state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from anymask.data_engine import jobs
from anymask.data_engine.blobs import Blobs
from anymask.data_engine.tables import DeploymentRow, EmbeddingRow, ImageRow, JobRow, MaskRow, ProjectRow, TaskRow
from anymask.errors import NotThereError, TakenError
from anymask.images.limits import ImageLimits
from anymask.images.load import load_image
from anymask.images.paths import check_name
from anymask.images.upright import encode_thumbnail, to_upright_file


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptPicture:
    """A picture whose files are in the blob store."""

    sha256: str
    size_hw: tuple[int, int]
    pixels_key: str
    media_type: str
    thumbnail_key: str


@dataclass(frozen=True, slots=True)
class ImageView:
    """A picture with how far it is."""

    row: ImageRow
    state: str
    """Of its annotation task."""
    embedding: str
    """ready, waiting or failed."""
    model_sha256: str | None
    """Of that embedding: the current model, or the one before it while only its embedding is there."""
    masks: int
    """Accepted ones."""


def keep_picture(blobs: Blobs, data: bytes, limits: ImageLimits | None = None) -> KeptPicture:
    """Check a file and keep its upright form and thumbnail.

    Raises: ImageError for what is no whole, allowed picture; StoreError.
    """
    loaded = load_image(data, limits)
    upright = to_upright_file(data, loaded, limits)
    return KeptPicture(
        sha256=loaded.sha256,
        size_hw=loaded.size_hw,
        pixels_key=blobs.put(upright.data),
        media_type=upright.media_type,
        thumbnail_key=blobs.put(encode_thumbnail(loaded)),
    )


def add_picture(
    session: Session, project_id: int, file_name: str, kept: KeptPicture, now: datetime, model_sha256: str | None
) -> ImageRow:
    """A picture of the project with its task and a job to embed it; the one there is if name and pixels are the same.

    Raises: PathError for a name that climbs, TakenError when another picture has it.
    """
    name = str(check_name(file_name))
    found = session.scalar(select(ImageRow).where(ImageRow.project_id == project_id, ImageRow.file_name == name))
    if found is not None:
        if found.sha256 != kept.sha256:
            raise TakenError(f"the project has another picture called {name!r}; rename one of the two")
        return found
    row = image_row(project_id, name, kept, now)
    session.add(row)
    session.flush()
    session.add(
        TaskRow(project_id=project_id, image_id=row.id, kind="annotate", state="waiting", person_id=None, token=0)
    )
    if model_sha256 is not None:
        ask_embedding(session, row, model_sha256, now)
    return row


def image_row(project_id: int, name: str, kept: KeptPicture, now: datetime) -> ImageRow:
    """The row of a new picture, not added yet."""
    return ImageRow(
        project_id=project_id,
        file_name=name,
        sha256=kept.sha256,
        height=kept.size_hw[0],
        width=kept.size_hw[1],
        pixels_key=kept.pixels_key,
        media_type=kept.media_type,
        thumbnail_key=kept.thumbnail_key,
        review="none",
        masks_made=0,
        created_at=now,
    )


def ask_embedding(session: Session, image: ImageRow, model_sha256: str, now: datetime, priority: int = 0) -> None:
    """See that the picture gets embedded by this model, before others when `priority` is higher than theirs."""
    if session.get(EmbeddingRow, (image.sha256, model_sha256)) is not None:
        return
    payload = {"image_sha256": image.sha256, "model_sha256": model_sha256, "pixels_key": image.pixels_key}
    subject = embedding_subject(image.sha256, model_sha256)
    job = jobs.add_job(session, "embed", subject, payload, now, project_id=image.project_id, priority=priority)
    if priority > job.priority and job.state in ("waiting", "running"):
        job.priority = priority


def ask_all_embeddings(session: Session, model_sha256: str, now: datetime) -> int:
    """A job for every picture that this model has not embedded; how many."""
    made = select(EmbeddingRow.image_sha256).where(EmbeddingRow.model_sha256 == model_sha256)
    asked = select(func.substr(JobRow.subject, 1, 64)).where(
        JobRow.kind == "embed", func.substr(JobRow.subject, 66, 64) == model_sha256
    )
    # Pictures whose masks are only rated need none.
    worked_on = select(ProjectRow.id).where(ProjectRow.kind != "rate")
    missing = select(ImageRow).where(ImageRow.sha256.not_in(made), ImageRow.sha256.not_in(asked))
    missing = missing.where(ImageRow.project_id.in_(worked_on)).order_by(ImageRow.id)
    rows = list(session.scalars(missing))
    for row in rows:
        ask_embedding(session, row, model_sha256, now)
    return len(rows)


def embedding_subject(image_sha256: str, model_sha256: str) -> str:
    """The name of an embedding among the jobs."""
    return f"{image_sha256}:{model_sha256}"


def get_picture(session: Session, image_id: int) -> ImageRow:
    """One picture.

    Raises: NotThereError.
    """
    row = session.get(ImageRow, image_id)
    if row is None:
        raise NotThereError(f"there is no picture {image_id}; list the project's pictures")
    return row


def find_embedding(session: Session, image_sha256: str, model_sha256: str) -> str | None:
    """The blob's key of an embedding; None when it is not made yet."""
    row = session.get(EmbeddingRow, (image_sha256, model_sha256))
    return None if row is None else row.key


def view(session: Session, image_ids: Iterable[int], model_sha256: str | None) -> list[ImageView]:
    """Those pictures with their state, in the given order; what is not there is left out."""
    ids = list(image_ids)
    found = {
        each.row.id: each for each in _views(session, select(ImageRow.id).where(ImageRow.id.in_(ids)), model_sha256)
    }
    return [found[each] for each in ids if each in found]


def list_pictures(
    session: Session,
    project_id: int,
    model_sha256: str | None,
    *,
    offset: int = 0,
    limit: int = 100,
    state: str | None = None,
    review: str | None = None,
) -> tuple[int, list[ImageView]]:
    """How many there are, and some of them in the order they came."""
    query = select(ImageRow.id).join(TaskRow, _own_task()).where(ImageRow.project_id == project_id)
    if state is not None:
        query = query.where(TaskRow.state == state)
    if review is not None:
        query = query.where(ImageRow.review == review)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    page = query.order_by(ImageRow.id).offset(offset).limit(limit)
    return total, _views(session, page, model_sha256)


def _own_task() -> Any:
    return (TaskRow.image_id == ImageRow.id) & (TaskRow.kind == "annotate")


def _views(session: Session, ids: Any, model_sha256: str | None) -> list[ImageView]:
    kept = (MaskRow.image_id == ImageRow.id, MaskRow.deleted.is_(False), MaskRow.state == "accepted")
    masks = select(func.count()).where(*kept).correlate(ImageRow).scalar_subquery()
    embedded = select(EmbeddingRow.key).where(
        EmbeddingRow.image_sha256 == ImageRow.sha256, EmbeddingRow.model_sha256 == (model_sha256 or "")
    )
    failed = select(JobRow.id).where(
        JobRow.kind == "embed",
        JobRow.subject == ImageRow.sha256 + f":{model_sha256}",
        JobRow.state.in_(("set_aside", "cancelled")),
    )
    query = select(
        ImageRow,
        TaskRow.state,
        masks,
        embedded.correlate(ImageRow).exists(),
        failed.correlate(ImageRow).exists(),
    ).join(TaskRow, _own_task())
    rows = session.execute(query.where(ImageRow.id.in_(ids)).order_by(ImageRow.id)).all()
    waiting = [row.sha256 for row, _, _, ready, _ in rows if not ready]
    before = _embedded_before(session, waiting, model_sha256) if waiting and model_sha256 else {}
    return [
        ImageView(
            row,
            state,
            "ready" if ready or row.sha256 in before else "failed" if is_failed else "waiting",
            model_sha256 if ready else before.get(row.sha256, model_sha256),
            number,
        )
        for row, state, number, ready, is_failed in rows
    ]


def _embedded_before(session: Session, image_sha256s: list[str], model_sha256: str) -> dict[str, str]:
    """Of pictures that the current model has not embedded, the newest model before it that has."""
    deployed = select(DeploymentRow.model_sha256, func.max(DeploymentRow.id)).group_by(DeploymentRow.model_sha256)
    age: dict[str, int] = {sha256: newest for sha256, newest in session.execute(deployed) if sha256 != model_sha256}
    if not age:
        return {}
    query = select(EmbeddingRow.image_sha256, EmbeddingRow.model_sha256).where(
        EmbeddingRow.image_sha256.in_(image_sha256s), EmbeddingRow.model_sha256.in_(age)
    )
    found: list[tuple[str, str]] = [(image, model) for image, model in session.execute(query)]
    return dict(sorted(found, key=lambda pair: age[pair[1]]))
