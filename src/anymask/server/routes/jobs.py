"""Imports and exports, and how far they are."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import Query, Request, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from anymask.data_engine import imports, jobs, journal
from anymask.data_engine.people import Identity
from anymask.data_engine.projects import get_project
from anymask.data_engine.tables import ImageRow, JobRow
from anymask.errors import InputError, NotThereError
from anymask.images.paths import check_name
from anymask.server.deps import Asker, Served, Services
from anymask.server.files import send_blob
from anymask.server.router import Routes, bytes_of
from anymask.server.rules import Access
from anymask.server.schemas import ExportIn, Format, Id, ImportIn, Job, Name
from anymask.server.views import job_of

routes = Routes("jobs")
_TAR = bytes_of("application/x-tar")


@routes.add("POST", "/projects/{project_id}/imports", Access.ADMIN, status_code=202)
def add_import(project_id: Id, given: ImportIn, asker: Asker, served: Served) -> Job:
    """Read pictures and masks from a folder or file of the server's machine, below one of its import folders."""
    path = imports.check_import_path(given.path, list(served.config.import_roots))
    return _add(served, project_id, asker, "import", {"format": given.format.value, "path": str(path)})


@routes.add(
    "POST",
    "/projects/{project_id}/annotations",
    Access.ADMIN,
    status_code=202,
    problems=(408,),
    body="application/octet-stream",
)
async def upload_annotations(
    project_id: Id,
    format: Annotated[Format, Query()],
    file_name: Name,
    request: Request,
    asker: Asker,
    served: Served,
) -> Job:
    """Masks for pictures that are there already: the body is a COCO or SA-1B JSON file, or a label map (PNG) named
    after its picture."""
    if format is Format.FOLDER:
        raise InputError("a folder holds pictures; upload them one by one, and send coco, sa1b or labels here")
    name, data = str(check_name(file_name)), await request.body()
    key = await run_in_threadpool(served.blobs.put, data)
    payload = {"format": format.value, "file_name": name, "key": key}
    return await run_in_threadpool(_add, served, project_id, asker, "import", payload)


@routes.add("POST", "/projects/{project_id}/exports", Access.REVIEWER, status_code=202)
def add_export(project_id: Id, given: ExportIn, asker: Asker, served: Served) -> Job:
    """Write pictures and masks as one tar file."""
    last = select(func.coalesce(func.max(ImageRow.id), 0)).where(ImageRow.project_id == project_id)
    last_image_id = served.database.read(lambda session: session.scalar(last))
    payload = given.model_dump(mode="json") | {"last_image_id": last_image_id}
    return _add(served, project_id, asker, "export", payload)


@routes.add("GET", "/projects/{project_id}/jobs", Access.MEMBER)
def list_jobs(project_id: Id, served: Served) -> list[Job]:
    """The project's imports and exports, newest first, and embeddings that were set aside."""

    def rows(session: Session) -> list[JobRow]:
        get_project(session, project_id)
        return jobs.list_jobs(session, project_id)

    now = served.database.clock()
    return [job_of(row, now) for row in served.database.read(rows)]


@routes.add("GET", "/jobs/{job_id}", Access.MEMBER)
def get_job(job_id: Id, served: Served) -> Job:
    """How far it is."""
    return job_of(served.database.read(lambda session: jobs.get_job(session, job_id)), served.database.clock())


@routes.add("POST", "/jobs/{job_id}/cancel", Access.REVIEWER, problems=(409,))
def cancel_job(job_id: Id, served: Served) -> Job:
    """Stop it; what was done stays done."""
    now = served.database.clock()
    return job_of(served.database.write(lambda session: jobs.cancel(session, job_id, now)), now)


@routes.add("POST", "/jobs/{job_id}/retry", Access.REVIEWER, problems=(409,))
def retry_job(job_id: Id, served: Served) -> Job:
    """Try again what was set aside or cancelled."""
    now = served.database.clock()
    return job_of(served.database.write(lambda session: jobs.retry(session, job_id, now)), now)


@routes.add("GET", "/jobs/{job_id}/file", Access.REVIEWER, responses=_TAR, response_class=Response)
def get_file(job_id: Id, request: Request, served: Served) -> Response:
    """The file of a finished export; ranges are answered, so that a download can be resumed."""
    row = served.database.read(lambda session: jobs.get_job(session, job_id))
    if row.kind != "export" or row.result_key is None:
        raise NotThereError(f"job {job_id} has no file; wait until the export is done")
    name = f"project-{row.project_id}-{row.payload['format']}-{job_id}.tar"
    return send_blob(request, served.blobs, row.result_key, "application/x-tar", immutable=True, file_name=name)


def _add(served: Services, project_id: int, asker: Identity, kind: str, payload: dict[str, Any]) -> Job:
    now, subject = served.database.clock(), str(uuid.uuid4())

    def add(session: Session) -> JobRow:
        get_project(session, project_id)
        details = {name: value for name, value in payload.items() if name in ("format", "path", "file_name")}
        journal.write(session, journal.Entry(f"ask_{kind}", now, asker.id, project_id, details=details))
        return jobs.add_job(session, kind, subject, payload, now, project_id=project_id)

    return job_of(served.database.write(add), now)
