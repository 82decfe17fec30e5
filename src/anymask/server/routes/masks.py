"""Masks and the actions that change them; the decoder on the server; reviews."""

from __future__ import annotations

import asyncio
import base64
import binascii

import numpy as np
from fastapi import Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from anymask.data_engine import mask_rows, pictures, queue, reviews
from anymask.data_engine.assisted import Change
from anymask.data_engine.saving import Save
from anymask.data_engine.tables import ReviewRow
from anymask.errors import PromptError
from anymask.masks.rle import to_json
from anymask.prompts.types import Prompt
from anymask.server.deps import Asker, Served, Token
from anymask.server.mask_schemas import (
    Action,
    ActionBatch,
    BatchResult,
    Decoded,
    DecodedMask,
    DecodeIn,
    Mask,
    MaskId,
    MaskList,
    MaskVersion,
    PromptRecord,
    Review,
    ReviewIn,
    Rle,
)
from anymask.server.problems import Refusal
from anymask.server.router import Routes
from anymask.server.routes.images import find_embedding
from anymask.server.rules import Access
from anymask.server.schemas import Id, Lease, Problem, ReviewState
from anymask.server.views import batch_of, change_of, mask_of

routes = Routes("masks")

_LARGE = 20_000
"""Characters of run lengths in one request, from which on other requests must not wait for their check."""


@routes.add("GET", "/images/{image_id}/masks", Access.MEMBER)
def list_masks(image_id: Id, served: Served, with_deleted: bool = False) -> MaskList:
    """The masks of a picture, in order of creation."""

    def masks(session: Session) -> list[Mask]:
        image = pictures.get_picture(session, image_id)
        rows = mask_rows.list_masks(session, image_id, with_deleted=with_deleted)
        return [mask_of(row, image) for row in rows]

    return MaskList(image_id=image_id, masks=served.database.read(masks))


@routes.add(
    "POST",
    "/images/{image_id}/actions",
    Access.MEMBER,
    asks_later=True,
    response_model=BatchResult,
    responses={
        409: {
            "model": BatchResult | Problem,
            "description": "An action conflicts or is refused: a BatchResult. The lease is lost: a Problem of kind "
            "`lease_lost`.",
        }
    },
)
async def apply_actions(image_id: Id, given: ActionBatch, token: Token, served: Served) -> Response:
    """Apply actions in order, each once. What is acknowledged is on disk."""
    # Masks of ordinary size are checked in less time than a thread takes to be told of them.
    is_large = sum(_characters(action) for action in given.actions) > _LARGE
    changes = await run_in_threadpool(_changes_of, given) if is_large else _changes_of(given)
    save = Save(token=token, image_id=image_id, lease=_lease(given.lease), changes=changes)
    answer = await asyncio.wrap_future(served.saver.submit(save))
    stopped = any(result.outcome in ("conflict", "refused") for result in answer.results)
    # Written here: FastAPI would check a second time what was just made, and saves are many.
    body = batch_of(answer, given.actions).model_dump_json()
    return Response(body, 409 if stopped else 200, media_type="application/json")


@routes.add("GET", "/masks/{mask_id}/versions", Access.MEMBER)
def list_versions(mask_id: MaskId, served: Served) -> list[MaskVersion]:
    """All that a mask ever was, oldest first."""
    found = served.database.read(lambda session: mask_rows.list_versions(session, mask_id))
    return [MaskVersion.model_validate(each) for each in found]


@routes.add("POST", "/images/{image_id}/decode", Access.MEMBER)
def decode(image_id: Id, given: DecodeIn, served: Served) -> Decoded:
    """The model's answer to a prompt, computed here, for browsers that cannot."""
    image = served.database.read(lambda session: pictures.get_picture(session, image_id))
    sha256 = given.model or served.model.sha256
    model = served.models.get(sha256)
    key = find_embedding(served, image, sha256)
    if key is None:
        raise Refusal(503, "not_ready", "the picture is not embedded yet; ask again in a moment")
    prompt = _prompt(given.prompt, given.mask_logits, model.facts["mask_size"])
    answer = served.decoder.answer(key, image.sha256, sha256, prompt, multimask=given.multimask)
    masks = answer.mask_set()
    return Decoded(
        model_sha256=sha256,
        masks=[
            DecodedMask(
                rle=Rle.model_validate(to_json(masks.rles[index])),
                predicted_iou=float(masks.predicted_iou[index]),
                stability=float(masks.stability[index]),
                logits=base64.b64encode(_half(answer.logits[index]).tobytes()).decode(),
            )
            for index in range(len(masks))
        ],
        best=answer.best,
    )


@routes.add("GET", "/images/{image_id}/reviews", Access.MEMBER)
def list_reviews(image_id: Id, served: Served) -> list[Review]:
    """What reviewers said of a picture and its masks, oldest first."""

    def rows(session: Session) -> list[ReviewRow]:
        pictures.get_picture(session, image_id)
        return reviews.list_reviews(session, image_id)

    return [_review(row) for row in served.database.read(rows)]


@routes.add("POST", "/images/{image_id}/reviews", Access.REVIEWER, status_code=201, problems=(409,))
def add_review(image_id: Id, given: ReviewIn, asker: Asker, served: Served) -> Review:
    """Accept, reject, or send back a picture; accept or reject one of its masks."""
    now, lease = served.database.clock(), _lease(given.lease)
    row = served.database.write(
        lambda session: reviews.review(
            session,
            asker,
            image_id,
            given.decision,
            now,
            mask_id=given.mask_id,
            comment=given.comment,
            lease=lease,
        )
    )
    return _review(row)


def _changes_of(given: ActionBatch) -> list[Change]:
    return [change_of(action) for action in given.actions]


def _characters(action: Action) -> int:
    return 0 if action.mask is None else len(action.mask.rle.counts)


def _lease(given: Lease | None) -> queue.Lease | None:
    return None if given is None else queue.Lease(given.task_id, given.token)


def _review(row: ReviewRow) -> Review:
    return Review(
        id=row.id,
        image_id=row.image_id,
        mask_id=row.mask_id,
        person_id=row.person_id,
        decision=ReviewState(row.decision),
        comment=row.comment,
        at=row.at,
    )


def _prompt(given: PromptRecord, logits: str | None, mask_size: int) -> Prompt:
    points = [(point.x, point.y) for point in given.points]
    box = None if given.box is None else np.array([given.box.x0, given.box.y0, given.box.x1, given.box.y1], np.float32)
    return Prompt(
        points_xy=np.array(points, np.float32) if points else None,
        labels=np.array([int(point.foreground) for point in given.points]) if points else None,
        box_xyxy=box,
        mask_logits=None if logits is None else _logits(logits, mask_size),
    )


def _logits(text: str, side: int) -> np.typing.NDArray[np.float32]:
    try:
        values = np.frombuffer(base64.b64decode(text, validate=True), "<f2")
    except (ValueError, binascii.Error) as error:
        raise PromptError(
            f"mask_logits is not base64 of float16 ({error}); send an answer's logits back as they came"
        ) from error
    if values.size != side * side:
        raise PromptError(f"mask_logits holds {values.size} numbers, expected {side} x {side}; send them as they came")
    return values.reshape(side, side).astype(np.float32)


def _half(logits: np.typing.NDArray[np.float32]) -> np.typing.NDArray[np.float16]:
    largest = np.finfo(np.float16).max
    return np.clip(logits, -largest, largest).astype("<f2")
