"""Signing in and out, and what this server is."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import Request, Response
from sqlalchemy.orm import Session as DatabaseSession

from anymask.data_engine import exports, imports, people
from anymask.errors import NotAllowedError
from anymask.server.deps import COOKIE, Served, Services, csrf_token, set_cookie
from anymask.server.router import Routes
from anymask.server.rules import Access
from anymask.server.schemas import Info, Model, Person, Session, Sha256, SignIn
from anymask.server.views import model_of

routes = Routes("session")


@routes.add("GET", "/session", Access.PUBLIC)
def get_session(request: Request, response: Response, served: Served) -> Session:
    """Who is asking, and the CSRF token. Alone on one's own machine this begins the session."""
    database, config = served.database, served.config
    token, now = request.cookies.get(COOKIE, ""), database.clock()
    asker = database.read(lambda session: people.identify(session, token, now))
    if asker is None and config.mode == "alone":

        def begin(session: DatabaseSession) -> tuple[str, people.Identity]:
            row = people.person_alone(session, now)
            return people.begin_session(session, row.id, now), people.Identity(row.id, row.name, row.role)

        token, asker = database.write(begin)
        set_cookie(response, config, token)
    return _session(served, token, asker)


@routes.add("POST", "/session", Access.PUBLIC, problems=(401, 429))
def sign_in(given: SignIn, request: Request, response: Response, served: Served) -> Session:
    """Sign in; five tries a minute. The session comes as a cookie that scripts cannot read."""
    if served.config.mode == "alone":
        raise NotAllowedError("nobody signs in here: this server is for one person; get /api/v1/session instead")
    address = request.client.host if request.client is not None else "unknown"
    token, asker = people.sign_in(served.database, given.name, given.password, address)
    # A session that was there before, whoever made it, ends here.
    _end(request, served)
    set_cookie(response, served.config, token)
    return _session(served, token, asker)


@routes.add("DELETE", "/session", Access.SIGNED_IN, status_code=204)
def sign_out(request: Request, response: Response, served: Served) -> None:
    """End this session; its cookie is of no use afterwards."""
    _end(request, served)
    response.delete_cookie(COOKIE)


@routes.add("GET", "/info", Access.PUBLIC)
def get_info(request: Request, served: Served) -> Info:
    """Version, model, what can be imported and exported."""
    config, database = served.config, served.database
    token, now = request.cookies.get(COOKIE, ""), database.clock()
    asker = database.read(lambda session: people.identify(session, token, now))
    return Info(
        version=version("anymask"),
        mode=config.mode,
        model=None if asker is None else model_of(served.model),
        import_formats=list(imports.FORMATS),
        export_formats=list(exports.FORMATS),
        max_upload_bytes=config.max_upload_bytes,
        can_import_folders=asker is not None and bool(config.import_roots),
    )


@routes.add("GET", "/models/{sha256}", Access.SIGNED_IN)
def get_model(sha256: Sha256, served: Served) -> Model:
    """A model that pictures are, or were, embedded by; `info` has the current one."""
    return model_of(served.models.get(sha256))


def _end(request: Request, served: Services) -> None:
    token = request.cookies.get(COOKIE)
    if token:
        served.database.write(lambda session: people.end_session(session, token))


def _session(served: Services, token: str, asker: people.Identity | None) -> Session:
    if asker is None:
        return Session(person=None, csrf_token=None, mode=served.config.mode)
    row = served.database.read(lambda session: people.get_person(session, asker.id))
    return Session(
        person=Person.model_validate(row), csrf_token=csrf_token(served.config, token), mode=served.config.mode
    )
