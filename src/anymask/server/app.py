"""The application: routes, guard, problems, and the built browser tool."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from anymask.server import problems
from anymask.server.deps import Services
from anymask.server.guard import Guard
from anymask.server.routes import images, jobs, masks, people, projects, queue, ratings, session

STATIC = Path(__file__).parent / "static"
"""Where `make web` puts the browser tool."""
NOT_BUILT = "the browser tool is not built: run `make web` in the checkout (a released wheel has it inside)"
_PAGE = (
    f"<!doctype html><meta charset=utf-8><title>anymask</title><p>{NOT_BUILT}.</p><p>The interface itself works.</p>"
)
_ROUTES = (session, people, projects, images, queue, masks, ratings, jobs)


def create_app(services: Services) -> FastAPI:
    """The application on these services."""
    app = describe()
    app.state.services = services
    folder = services.config.static
    if folder is not None and (folder / "index.html").is_file():
        app.mount("/", _Tool(directory=folder, html=True))
    else:
        app.add_api_route("/", _not_built, include_in_schema=False)
    app.add_middleware(Guard, config=services.config)
    return app


def describe() -> FastAPI:
    """The application's routes alone, from which the OpenAPI description is made."""
    app = FastAPI(
        title="anymask",
        version=version("anymask"),
        summary="The annotation server: pictures, masks, and who made them how.",
        generate_unique_id_function=_name_of,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    for each in _ROUTES:
        app.include_router(each.routes.router)
    problems.install(app)
    return app


def is_built(folder: Path = STATIC) -> bool:
    """Whether the browser tool is there."""
    return (folder / "index.html").is_file()


def _name_of(route: APIRoute) -> str:
    return route.name


def _not_built() -> Response:
    return HTMLResponse(_PAGE)


class _Tool(StaticFiles):
    """The tool's files; its pages have addresses of their own, which are all answered with the one page it is."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404 or path.startswith("api/") or "." in path.rsplit("/", 1)[-1]:
                raise
            response = await super().get_response("index.html", scope)
        # Vite puts a hash of the content into the names below assets/.
        for_ever = path.startswith("assets/")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if for_ever else "no-cache"
        return response
