"""Pictures: adding them, their pixels, thumbnails and embeddings."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import Query, Request, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from anymask.data_engine import pictures, projects
from anymask.data_engine.tables import ImageRow
from anymask.errors import EmbeddingMismatchError, NotThereError
from anymask.images.limits import ImageLimits
from anymask.server.deps import Served, Services
from anymask.server.files import send_blob
from anymask.server.problems import answer
from anymask.server.router import Routes, bytes_of
from anymask.server.rules import Access
from anymask.server.schemas import Count, Id, Image, ImagePage, Name, ReviewState, Sha256, TaskState
from anymask.server.views import image_of

routes = Routes("images")
_PICTURE = bytes_of("image/jpeg", "image/png", "image/webp")
_BYTES = bytes_of("application/octet-stream")
_LOOK_S = 0.25
"""How often a waiting request looks whether the embedding is there."""
_URGENT = 100


@routes.add("GET", "/projects/{project_id}/images", Access.MEMBER)
def list_images(
    project_id: Id,
    served: Served,
    offset: Count = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    state: TaskState | None = None,
    review: ReviewState | None = None,
) -> ImagePage:
    """The pictures of a project in the order they came."""

    def page(session: Session) -> tuple[int, list[pictures.ImageView]]:
        projects.get_project(session, project_id)
        return pictures.list_pictures(
            session, project_id, served.model.sha256, offset=offset, limit=limit, state=state, review=review
        )

    total, views = served.database.read(page)
    return ImagePage(total=total, images=[image_of(view, served.model.sha256) for view in views])


@routes.add(
    "POST",
    "/projects/{project_id}/images",
    Access.ADMIN,
    status_code=201,
    problems=(408, 409),
    body="application/octet-stream",
)
async def add_image(project_id: Id, file_name: Name, request: Request, served: Served) -> Image:
    """Add one picture: the body is the file (JPEG, PNG, WebP or GIF, told by content)."""
    data = await request.body()
    return await run_in_threadpool(_add, served, project_id, file_name, data)


@routes.add("GET", "/images/{image_id}", Access.MEMBER)
def get_image(image_id: Id, served: Served) -> Image:
    """One picture."""
    return _shown(served, image_id)


@routes.add("GET", "/images/{image_id}/pixels", Access.MEMBER, responses=_PICTURE, response_class=Response)
def get_pixels(image_id: Id, request: Request, served: Served) -> Response:
    """The picture, upright and without metadata. Strong ETag; ranges are answered."""
    row = _row(served, image_id)
    immutable = request.query_params.get("v") == row.pixels_key[:16]
    return send_blob(request, served.blobs, row.pixels_key, row.media_type, immutable=immutable)


@routes.add("GET", "/images/{image_id}/thumbnail", Access.MEMBER, responses=_PICTURE, response_class=Response)
def get_thumbnail(image_id: Id, request: Request, served: Served) -> Response:
    """The picture at 256 px or less a side."""
    row = _row(served, image_id)
    immutable = request.query_params.get("v") == row.thumbnail_key[:16]
    return send_blob(request, served.blobs, row.thumbnail_key, "image/webp", immutable=immutable)


@routes.add(
    "GET",
    "/images/{image_id}/embedding",
    Access.MEMBER,
    responses=_BYTES,
    response_class=Response,
    problems=(409,),
)
def get_embedding(
    image_id: Id,
    request: Request,
    served: Served,
    model: Sha256 | None = None,
    wait_s: Annotated[float, Query(ge=0, le=25)] = 0,
) -> Response:
    """All maps of the picture's embedding in float16, as a safetensors file, compressed on the way.

    Its metadata say `image_sha256`, `model_sha256`, `original_height`, `original_width`, `resized_height`,
    `resized_width`, `input_size`. Not ready: status 503 with Retry-After, after `wait_s` seconds, and the picture goes
    to the head of the worker's queue. A model that is not current embeds nothing more: 409, get the picture again.
    """
    row = _row(served, image_id)
    until, asked = time.monotonic() + wait_s, False
    wanted = model or served.model.sha256
    while (key := find_embedding(served, row, wanted)) is None:
        now = served.model.sha256
        if wanted != now:
            raise EmbeddingMismatchError(
                f"model {wanted[:12]}... has not embedded this picture, and the server has {now[:12]}... now; get "
                "the picture again"
            )
        if not asked:
            _ask(served, row, wanted)
            asked = True
        if time.monotonic() >= until:
            return answer(503, "not_ready", "the picture is not embedded yet; ask again in a moment")
        time.sleep(_LOOK_S)
    return send_blob(
        request,
        served.blobs,
        key,
        "application/octet-stream",
        immutable=model is not None,
        gzipped=True,
    )


@routes.add("GET", "/models/{sha256}/decoder.onnx", Access.SIGNED_IN, responses=_BYTES, response_class=Response)
def get_decoder(sha256: Sha256, request: Request, served: Served) -> Response:
    """The model's decoder for the browser; the model describes its inputs."""
    key = served.models.get(sha256).decoder_key
    return send_blob(request, served.blobs, key, "application/octet-stream", immutable=True)


def find_embedding(served: Services, row: ImageRow, model_sha256: str) -> str | None:
    """The blob's key; None while it is not made."""
    return served.database.read(lambda session: pictures.find_embedding(session, row.sha256, model_sha256))


def _ask(served: Services, row: ImageRow, sha256: str) -> None:
    now = served.database.clock()
    served.database.write(lambda session: pictures.ask_embedding(session, row, sha256, now, _URGENT))


def _add(served: Services, project_id: int, file_name: str, data: bytes) -> Image:
    served.database.read(lambda session: projects.get_project(session, project_id))
    limits = ImageLimits(max_file_bytes=served.config.max_upload_bytes)
    kept = pictures.keep_picture(served.blobs, data, limits)
    now, sha256 = served.database.clock(), served.model.sha256
    row = served.database.write(lambda session: pictures.add_picture(session, project_id, file_name, kept, now, sha256))
    return _shown(served, row.id)


def _row(served: Services, image_id: int) -> ImageRow:
    return served.database.read(lambda session: pictures.get_picture(session, image_id))


def _shown(served: Services, image_id: int) -> Image:
    views = served.database.read(lambda session: pictures.view(session, [image_id], served.model.sha256))
    if not views:
        raise NotThereError(f"there is no picture {image_id}; list the project's pictures")
    return image_of(views[0], served.model.sha256)
