"""Rows of the database as wire types, and actions of the wire as changes of the data engine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from anymask.data_engine import projects
from anymask.data_engine.assisted import Answer, Change, Result
from anymask.data_engine.deployment import DeployedModel
from anymask.data_engine.mask_rows import CheckedMask, check_mask, to_plain
from anymask.data_engine.pictures import ImageView
from anymask.data_engine.queue import lease_seconds
from anymask.data_engine.tables import ImageRow, JobRow, MaskRow, ProjectRow, TaskRow
from anymask.errors import MaskError
from anymask.server.mask_schemas import (
    Action,
    ActionResult,
    BatchResult,
    Conflict,
    Mask,
    Outcome,
)
from anymask.server.schemas import (
    EmbeddingMap,
    EmbeddingState,
    Image,
    Job,
    JobKind,
    JobState,
    LeaseUntil,
    Model,
    Project,
    ProjectCounts,
    ProjectKind,
    ProjectSettings,
    ReviewState,
    Task,
    TaskKind,
    TaskState,
)

_API = "/api/v1"


def project_of(row: ProjectRow, counts: projects.Counts) -> Project:
    """A project with its counts."""
    return Project(
        id=row.id,
        name=row.name,
        kind=ProjectKind(row.kind),
        instructions=row.instructions,
        settings=ProjectSettings.model_validate(row.settings),
        counts=ProjectCounts.model_validate(counts),
        created_at=row.created_at,
    )


def image_of(view: ImageView, current_sha256: str) -> Image:
    """A picture with its addresses, which name their content."""
    row, model_sha256 = view.row, view.model_sha256 or current_sha256
    at = f"{_API}/images/{row.id}"
    return Image(
        id=row.id,
        project_id=row.project_id,
        file_name=row.file_name,
        width=row.width,
        height=row.height,
        sha256=row.sha256,
        state=TaskState(view.state),
        review=ReviewState(row.review),
        embedding=EmbeddingState(view.embedding),
        model_sha256=model_sha256,
        masks=view.masks,
        pixels_url=pixels_url(row),
        thumbnail_url=f"{at}/thumbnail?v={row.thumbnail_key[:16]}",
        embedding_url=f"{at}/embedding?model={model_sha256}",
        created_at=row.created_at,
    )


def pixels_url(row: ImageRow) -> str:
    """Where a picture's pixels are; the address names their content."""
    return f"{_API}/images/{row.id}/pixels?v={row.pixels_key[:16]}"


def task_of(row: TaskRow, project: ProjectRow, image: Image, upcoming: Sequence[Image]) -> Task:
    """A leased task."""
    assert row.expires_at is not None
    lease = LeaseUntil(task_id=row.id, token=row.token, expires_at=row.expires_at, lease_s=lease_seconds(project))
    return Task(
        id=row.id,
        kind=TaskKind(row.kind),
        state=TaskState(row.state),
        lease=lease,
        image=image,
        comment=row.comment,
        upcoming=list(upcoming),
    )


def job_of(row: JobRow, now: datetime) -> Job:
    """A job with an estimate of the time that is left."""
    left = None
    if row.state == "running" and row.started_at is not None and row.total and row.done:
        spent = (now - row.started_at).total_seconds()
        left = max(spent / row.done * (row.total - row.done), 0.0)
    is_file = row.state == "done" and row.result_key is not None
    return Job(
        id=row.id,
        project_id=row.project_id,
        kind=JobKind(row.kind),
        state=JobState(row.state),
        done=row.done,
        total=row.total,
        seconds_left=left,
        message=row.message,
        problems=row.problems,
        download_url=f"{_API}/jobs/{row.id}/file" if is_file else None,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def model_of(model: DeployedModel) -> Model:
    """A model with the address of its decoder."""
    return Model(
        sha256=model.sha256,
        name=model.name,
        input_size=model.facts["input_size"],
        mask_size=model.facts["mask_size"],
        mask_threshold=model.facts["mask_threshold"],
        candidates=model.facts["candidates"],
        maps=[EmbeddingMap.model_validate(each) for each in model.facts["maps"]],
        decoder_url=f"{_API}/models/{model.sha256}/decoder.onnx",
        decoder_sha256=model.decoder_key,
        decoder_bytes=model.decoder_bytes,
    )


def mask_of(row: MaskRow, image: ImageRow) -> Mask:
    """A mask as it is now."""
    return Mask.model_validate(to_plain(row, image))


def change_of(action: Action) -> Change:
    """An action with its mask checked; a refused mask is noted, not raised."""
    mask: CheckedMask | None = None
    problem: str | None = None
    if action.mask is not None:
        given = action.mask
        try:
            mask = check_mask(
                given.rle.model_dump(),
                label=given.label,
                provenance=given.provenance.model_dump(mode="json"),
                first_answer=None if given.first_answer is None else given.first_answer.model_dump(),
            )
        except MaskError as error:
            problem = f"the mask is refused: {error}"
    return Change(
        key=action.key,
        kind=action.kind.value,
        mask_id=action.mask_id,
        base_version=action.base_version,
        mask=mask,
        label=action.label,
        at=action.at,
        digest=hashlib.sha256(action.model_dump_json().encode()).hexdigest(),
        problem=problem,
    )


def batch_of(answer: Answer, actions: Sequence[Action]) -> BatchResult:
    """What became of each action."""
    pairs = zip(answer.results, actions, strict=True)
    return BatchResult(
        results=[_result_of(result, action, answer.image) for result, action in pairs],
        lease_expires_at=answer.lease_expires_at,
    )


def _result_of(result: Result, action: Action, image: ImageRow) -> ActionResult:
    mask = None if result.mask is None else mask_of(result.mask, image)
    conflict = Conflict(theirs=mask, yours=action) if result.outcome == "conflict" and mask is not None else None
    return ActionResult(
        key=result.key, outcome=Outcome(result.outcome), mask=mask, conflict=conflict, message=result.message
    )
