"""What to work on next, and whose it is."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Response
from sqlalchemy.orm import Session

from anymask.data_engine import pictures, queue
from anymask.data_engine.people import Identity
from anymask.data_engine.projects import get_project
from anymask.data_engine.tables import ProjectRow, TaskRow
from anymask.server.deps import Asker, Served, Services
from anymask.server.router import Routes
from anymask.server.rules import Access
from anymask.server.schemas import Id, LeaseUntil, NextTask, OpenTask, Skip, Task, TaskEnd, TaskState, Token
from anymask.server.views import image_of, task_of

routes = Routes("queue")


@routes.add(
    "POST",
    "/projects/{project_id}/queue/next",
    Access.MEMBER,
    response_model=Task,
    responses={204: {"description": "Nothing is left to do."}},
)
def next_task(project_id: Id, given: NextTask, asker: Asker, served: Served) -> Task | Response:
    """Lease the next picture to the asker. Review tasks are for reviewers."""
    now, sha256 = served.database.clock(), served.model.sha256

    def find(session: Session) -> Task | None:
        project = get_project(session, project_id)
        found = queue.next_task(
            session, asker, project, now, kind=given.kind.value, resume=given.resume, model_sha256=sha256
        )
        return None if found is None else _shown(session, sha256, found[0], project, found[1])

    return served.database.write(find) or Response(status_code=204)


@routes.add("POST", "/images/{image_id}/task", Access.MEMBER, problems=(409,))
def open_task(image_id: Id, given: OpenTask, asker: Asker, served: Served) -> Task:
    """Lease this picture to the asker, out of order, also when it was done; 409 when somebody else holds it."""
    now, sha256 = served.database.clock(), served.model.sha256

    def lease(session: Session) -> Task:
        image = pictures.get_picture(session, image_id)
        project = get_project(session, image.project_id)
        task = queue.open_task(session, asker, image, project, now, kind=given.kind.value)
        return _shown(session, sha256, task, project, [])

    return served.database.write(lease)


@routes.add("POST", "/tasks/{task_id}/heartbeat", Access.MEMBER, problems=(409,))
def heartbeat(task_id: Id, given: Token, asker: Asker, served: Served) -> LeaseUntil:
    """Still here: the lease starts anew. 409 when it went to somebody else."""
    now, lease = served.database.clock(), queue.Lease(task_id, given.token)
    task, lease_s = served.database.write(lambda session: queue.heartbeat(session, asker, lease, now))
    assert task.expires_at is not None
    return LeaseUntil(task_id=task.id, token=task.token, expires_at=task.expires_at, lease_s=lease_s)


@routes.add("POST", "/tasks/{task_id}/finish", Access.MEMBER, problems=(409,))
def finish_task(task_id: Id, given: Token, asker: Asker, served: Served) -> TaskEnd:
    """The picture is done; repeated calls are answered alike."""
    return _end(served, asker, task_id, given.token, queue.finish)


@routes.add("POST", "/tasks/{task_id}/skip", Access.MEMBER, problems=(409,))
def skip_task(task_id: Id, given: Skip, asker: Asker, served: Served) -> TaskEnd:
    """Leave the picture to others: it is not offered to this person again."""
    now, lease = served.database.clock(), queue.Lease(task_id, given.token)
    task = served.database.write(lambda session: queue.skip(session, asker, lease, now, given.reason))
    return TaskEnd(id=task.id, state=TaskState(task.state))


@routes.add("POST", "/tasks/{task_id}/release", Access.MEMBER, problems=(409,))
def release_task(task_id: Id, given: Token, asker: Asker, served: Served) -> TaskEnd:
    """Give the picture back to the queue as it is."""
    return _end(served, asker, task_id, given.token, queue.release)


def _end(
    served: Services,
    asker: Identity,
    task_id: int,
    token: int,
    change: Callable[..., TaskRow],
) -> TaskEnd:
    now, lease = served.database.clock(), queue.Lease(task_id, token)
    task = served.database.write(lambda session: change(session, asker, lease, now))
    return TaskEnd(id=task.id, state=TaskState(task.state))


def _shown(session: Session, sha256: str, task: TaskRow, project: ProjectRow, upcoming: list[int]) -> Task:
    session.flush()
    first, *others = (image_of(view, sha256) for view in pictures.view(session, [task.image_id, *upcoming], sha256))
    return task_of(task, project, first, others)
