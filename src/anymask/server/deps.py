"""What routes are given: the services, and who asks, after sign-in, CSRF and access were checked."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from anymask.data_engine import people, projects
from anymask.data_engine.blobs import Blobs
from anymask.data_engine.deployment import DeployedModel
from anymask.data_engine.people import Identity
from anymask.data_engine.projects import is_member
from anymask.data_engine.saving import Saver
from anymask.data_engine.store import Database
from anymask.data_engine.tables import ImageRow, JobRow, MaskRow, TaskRow
from anymask.errors import NotAllowedError, NotThereError, SignInError
from anymask.server.config import ServerConfig
from anymask.server.embeddings import ServerDecoder
from anymask.server.models import ServedModels
from anymask.server.problems import Refusal
from anymask.server.rules import Access
from anymask.server.schemas import Id

COOKIE = "anymask_session"
NOBODY = "nobody is signed in; sign in first"
_PARSE_ID: Callable[[str], int] = TypeAdapter(Id).validate_strings
_CHANGES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """What the application works with."""

    config: ServerConfig
    database: Database
    blobs: Blobs
    models: ServedModels
    decoder: ServerDecoder
    saver: Saver

    @property
    def model(self) -> DeployedModel:
        """The current one."""
        return self.models.current()


# These two are coroutines because FastAPI hands any other dependency to a thread, which costs more than they do.
async def services_of(request: Request) -> Services:
    """The application's services."""
    return _services(request)


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def asker_of(request: Request) -> Identity:
    """Who asks; there for every route that is not public."""
    asker: Identity = request.state.asker
    return asker


async def token_of(request: Request) -> str:
    """The session's token; there for every route with `admit_later`."""
    token: str = request.state.token
    return token


Served = Annotated[Services, Depends(services_of)]
Token = Annotated[str, Depends(token_of)]
Asker = Annotated[Identity, Depends(asker_of)]


def admit(access: Access) -> Callable[[Request], None]:
    """A dependency that lets pass who may, by `access`.

    Raises: SignInError, NotAllowedError, NotThereError for what is none of the asker's business, Refusal of a request
    that another site may have sent.
    """

    def check(request: Request) -> None:
        refuse_other_sites(request)
        if access is Access.PUBLIC:
            return
        services = _services(request)
        token = request.cookies.get(COOKIE)
        if not token:
            raise SignInError(NOBODY)
        now = services.database.clock()

        def admitted(session: Session) -> Identity:
            asker = people.identify(session, token, now)
            if asker is None:
                raise SignInError(people.SESSION_ENDED)
            _check_role(session, asker, access, request.path_params)
            return asker

        request.state.asker = services.database.read(admitted)
        if request.method in _CHANGES:
            _check_csrf(services.config, token, request)

    return check


def admit_later(access: Access) -> Callable[[Request], Awaitable[None]]:
    """The same for a route that looks up who asks in the transaction of what it changes, by `request.state.token`.

    Only what needs no database is checked here. A request that fails at that is told what `admit` tells it.
    """
    check_all = admit(access)

    async def check(request: Request) -> None:
        token = request.cookies.get(COOKIE)
        try:
            refuse_other_sites(request)
            _check_csrf(_services(request).config, token or "", request)
        except Refusal:
            await run_in_threadpool(check_all, request)
            raise
        if not token:
            raise SignInError(NOBODY)
        request.state.token = token

    return check


def refuse_other_sites(request: Request) -> None:
    """Raises: Refusal when the browser says that another site's page sent the request."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    if site not in ("same-origin", "none") and not _is_page_load(request):
        raise Refusal(403, "csrf", "the request came from another site's page; open this server's own page")
    if origin is not None and request.method in _CHANGES and urlsplit(origin).netloc != request.headers.get("host"):
        raise Refusal(403, "csrf", f"the request came from {origin[:200]}; open this server's own page")


def csrf_token(config: ServerConfig, session_token: str) -> str:
    """What a page must show that belongs to this session."""
    return hmac.new(config.secret.encode(), f"csrf:{session_token}".encode(), hashlib.sha256).hexdigest()


def set_cookie(response: Response, config: ServerConfig, token: str) -> None:
    """The session's cookie: not for scripts, not for other sites."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(people.SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=config.https,
    )


def _is_page_load(request: Request) -> bool:
    """A link from elsewhere may lead here, but not to the interface."""
    return request.method == "GET" and not request.url.path.startswith("/api/")


def _check_csrf(config: ServerConfig, token: str, request: Request) -> None:
    given = request.headers.get("x-csrf-token", "")
    if not hmac.compare_digest(csrf_token(config, token).encode(), given.encode()):
        raise Refusal(
            403, "csrf", "the header X-CSRF-Token is missing or of another session; get /api/v1/session again"
        )


def _check_role(session: Session, asker: Identity, access: Access, path: dict[str, Any]) -> None:
    if access is Access.SIGNED_IN or asker.is_admin:
        return
    if access is Access.ADMIN:
        raise NotAllowedError("this is for admins; ask one of them")
    project_id = _project_of(session, path)
    if project_id is None or not is_member(session, project_id, asker.id):
        raise NotThereError(projects.NOT_YOURS)
    if access is Access.REVIEWER and not asker.is_reviewer:
        raise NotAllowedError("this is for reviewers; ask an admin for that role")


def _project_of(session: Session, path: dict[str, Any]) -> int | None:
    """The project that a path is about."""
    if "mask_id" in path:
        query = select(ImageRow.project_id).join(MaskRow, MaskRow.image_id == ImageRow.id)
        return session.scalar(query.where(MaskRow.id == str(path["mask_id"])))
    for name, column in (("image_id", ImageRow), ("task_id", TaskRow), ("job_id", JobRow)):
        if name in path:
            number = _number(path[name])
            return None if number is None else session.scalar(select(column.project_id).where(column.id == number))
    return _number(path.get("project_id"))


def _number(text: object) -> int | None:
    try:
        return _PARSE_ID(str(text))
    except ValidationError:
        return None
