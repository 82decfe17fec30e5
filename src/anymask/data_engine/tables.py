"""What the annotation database holds. Changed by migrations only; a test compares the two.

Numbers are ids, texts are free of NUL, moments are UTC. Nothing here decides anything.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

BigId = BigInteger().with_variant(Integer, "sqlite")


class Moment(TypeDecorator[datetime]):
    """A moment with its time zone, on databases that keep none too."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC, without a zone where the database keeps none."""
        if value is None:
            return None
        moved = value.astimezone(UTC)
        return moved.replace(tzinfo=None) if dialect.name == "sqlite" else moved

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """With its zone again."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: BigId,
        datetime: Moment,
        dict[str, Any]: JSON,
        list[Any]: JSON,
    }


class PersonRow(Base):
    """Somebody who works here."""

    __tablename__ = "people"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    role: Mapped[str] = mapped_column(String(20))
    password_hash: Mapped[str | None] = mapped_column(Text)
    active: Mapped[bool]
    created_at: Mapped[datetime]


class SessionRow(Base):
    """One signed-in browser; the cookie itself is not kept, only its hash."""

    __tablename__ = "sessions"
    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class SignInTryRow(Base):
    """A password that was tried, by whom it was tried for and from where."""

    __tablename__ = "sign_in_tries"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    what: Mapped[str] = mapped_column(String(300), index=True)
    at: Mapped[datetime]


class ProjectRow(Base):
    """Pictures and how people work on them."""

    __tablename__ = "projects"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    kind: Mapped[str] = mapped_column(String(20), server_default="annotate", default="annotate")
    instructions: Mapped[str] = mapped_column(Text)
    settings: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class MemberRow(Base):
    """A person of a project."""

    __tablename__ = "members"
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True, index=True)


class ImageRow(Base):
    """One picture of a project; its files are in the blob store under their hashes."""

    __tablename__ = "images"
    __table_args__ = (UniqueConstraint("project_id", "file_name"),)
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    file_name: Mapped[str] = mapped_column(String(1000))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    width: Mapped[int]
    height: Mapped[int]
    pixels_key: Mapped[str] = mapped_column(String(64))
    media_type: Mapped[str] = mapped_column(String(40))
    thumbnail_key: Mapped[str] = mapped_column(String(64))
    review: Mapped[str] = mapped_column(String(20))
    masks_made: Mapped[int]
    created_at: Mapped[datetime]


class ModelRow(Base):
    """A model that this store has embeddings of."""

    __tablename__ = "models"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    facts: Mapped[dict[str, Any]]
    decoder_key: Mapped[str] = mapped_column(String(64))
    weights_key: Mapped[str | None] = mapped_column(String(64))


class DeploymentRow(Base):
    """A model that became the current one; the newest row says which is. Rows are added, never changed."""

    __tablename__ = "deployments"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    model_sha256: Mapped[str] = mapped_column(ForeignKey("models.sha256"))
    kind: Mapped[str] = mapped_column(String(20))
    key: Mapped[str | None] = mapped_column(String(100), unique=True)
    note: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class DetectorRow(Base):
    """An object detector that was put to use; of one model's the one with the highest number is in use."""

    __tablename__ = "detectors"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    model_sha256: Mapped[str] = mapped_column(String(64), index=True)
    key: Mapped[str] = mapped_column(String(64))
    confidence: Mapped[float]
    facts: Mapped[dict[str, Any]]
    deployed_at: Mapped[datetime]


class TurnRow(Base):
    """A turn of the engine that has ended, as it told of itself."""

    __tablename__ = "turns"
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    report: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class EmbeddingRow(Base):
    """One picture embedded by one model."""

    __tablename__ = "embeddings"
    image_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    model_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]


class TaskRow(Base):
    """One thing to do with one picture, and whose it is."""

    __tablename__ = "tasks"
    __table_args__ = (UniqueConstraint("image_id", "kind"), Index("ix_tasks_queue", "project_id", "kind", "state"))
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"))
    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"), index=True)
    token: Mapped[int] = mapped_column(BigId)
    expires_at: Mapped[datetime | None]
    comment: Mapped[str | None] = mapped_column(Text)
    priority: Mapped[int] = mapped_column(BigInteger, default=0)


class SkipRow(Base):
    """A person who left a task to others."""

    __tablename__ = "skips"
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)


class MaskRow(Base):
    """A mask as it is now."""

    __tablename__ = "masks"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    version: Mapped[int]
    state: Mapped[str] = mapped_column(String(20))
    deleted: Mapped[bool]
    origin: Mapped[str] = mapped_column(String(20))
    author_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    changed_by_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    stage: Mapped[str] = mapped_column(String(20))
    order: Mapped[int]
    counts: Mapped[str] = mapped_column(Text)
    area_px: Mapped[int] = mapped_column(BigInteger)
    box_xyxy: Mapped[list[Any]]
    label: Mapped[str | None] = mapped_column(String(200))
    model_sha256: Mapped[str | None] = mapped_column(String(64))
    clicks: Mapped[int] = mapped_column(BigInteger)
    active_ms: Mapped[int] = mapped_column(BigInteger)
    provenance: Mapped[dict[str, Any]]
    first_answer: Mapped[str | None] = mapped_column(Text)
    first_answer_iou: Mapped[float | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class MaskVersionRow(Base):
    """A mask as it was before a change."""

    __tablename__ = "mask_versions"
    mask_id: Mapped[str] = mapped_column(ForeignKey("masks.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    by_id: Mapped[int | None]
    at: Mapped[datetime]
    mask: Mapped[dict[str, Any]]


class JournalRow(Base):
    """One thing somebody did. Triggers of the database refuse to change or remove it."""

    __tablename__ = "journal"
    seq: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime]
    person_id: Mapped[int | None]
    project_id: Mapped[int | None] = mapped_column(index=True)
    kind: Mapped[str] = mapped_column(String(40))
    image_id: Mapped[int | None]
    mask_id: Mapped[str | None] = mapped_column(String(36))
    version: Mapped[int | None]
    key: Mapped[str | None] = mapped_column(String(64), unique=True)
    details: Mapped[dict[str, Any]]


class ReviewRow(Base):
    """What a reviewer decided."""

    __tablename__ = "reviews"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    mask_id: Mapped[str | None] = mapped_column(String(36))
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    decision: Mapped[str] = mapped_column(String(20))
    comment: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class JobRow(Base):
    """Work of the server's own workers."""

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_queue", "state", "kind", "priority"), UniqueConstraint("kind", "subject"))
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(20))
    priority: Mapped[int]
    attempts: Mapped[int]
    token: Mapped[int] = mapped_column(BigId)
    expires_at: Mapped[datetime | None]
    payload: Mapped[dict[str, Any]]
    progress: Mapped[dict[str, Any]]
    done: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[int | None] = mapped_column(BigInteger)
    message: Mapped[str] = mapped_column(Text)
    problems: Mapped[list[Any]]
    result_key: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class RatingStudyRow(Base):
    """What is asked in a project whose masks are rated."""

    __tablename__ = "rating_studies"
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    prompt: Mapped[str] = mapped_column(String(10))
    ratings_per_mask: Mapped[int | None]
    order_seed: Mapped[int] = mapped_column(BigInteger)
    items: Mapped[int]
    facts: Mapped[dict[str, Any]]


class RatingItemRow(Base):
    """One mask to be rated. `position` is drawn at random, so that nothing a rater sees tells the column."""

    __tablename__ = "rating_items"
    __table_args__ = (UniqueConstraint("project_id", "position"),)
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    position: Mapped[int]
    column_name: Mapped[str] = mapped_column(String(200))
    set_name: Mapped[str] = mapped_column(String(200))
    target: Mapped[str] = mapped_column(String(1200))
    prompt: Mapped[dict[str, Any]]
    counts: Mapped[str] = mapped_column(Text)


class RatingRow(Base):
    """One rating, or one taken back. Triggers of the database refuse to change or remove it."""

    __tablename__ = "ratings"
    __table_args__ = (Index("ix_ratings_person", "project_id", "person_id"),)
    seq: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime]
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    item_id: Mapped[int] = mapped_column(ForeignKey("rating_items.id"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    kind: Mapped[str] = mapped_column(String(20))
    score: Mapped[int | None]
    active_ms: Mapped[int] = mapped_column(BigInteger)
    key: Mapped[str] = mapped_column(String(64), unique=True)
