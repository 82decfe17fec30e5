"""A router whose every route states who may call it, and which problems it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Depends

from anymask.server.deps import admit, admit_later
from anymask.server.rules import Access
from anymask.server.schemas import Problem

F = TypeVar("F", bound=Callable[..., Any])

BINARY = {"type": "string", "format": "binary"}
_SAFE = ("GET",)
_MEANING = {
    400: "Not a request this server understands.",
    401: "Nobody is signed in, or the session has ended.",
    403: "This person may not do that, or the CSRF token is missing.",
    404: "There is no such thing, or not for this person.",
    408: "The body came too slowly.",
    409: "It is not as the request takes it to be: somebody else was first.",
    413: "The body is too large.",
    422: "A value is refused; the message says which and why.",
    429: "Too many tries; the header Retry-After says when to come again.",
    503: "Not now: the database or the model is busy; come again.",
}


class Routes:
    """Routes under one prefix and one tag of the description."""

    def __init__(self, tag: str) -> None:
        self.router = APIRouter(prefix="/api/v1", tags=[tag])

    def add(
        self,
        method: str,
        path: str,
        access: Access,
        *,
        problems: tuple[int, ...] = (),
        body: str | None = None,
        asks_later: bool = False,
        **options: Any,
    ) -> Callable[[F], F]:
        """Register a function; answers of sign-in and validation are added to `problems` by themselves.

        `body` is the media type of a body that the function reads by itself, as a stream. With `asks_later` the
        function finds out by itself who asks and whether they may, by the session's token.
        """
        codes = {422, 503, *problems}
        if access is not Access.PUBLIC:
            codes |= {401, 403}
        if "{" in path:
            codes.add(404)
        if method not in _SAFE:
            codes |= {400, 403, 413}
        responses: dict[int | str, dict[str, Any]] = {
            code: {"model": Problem, "description": _MEANING[code]} for code in sorted(codes)
        }
        responses |= options.pop("responses", {})
        extra: dict[str, Any] = {"x-access": access.value}
        if body is not None:
            extra["requestBody"] = {"required": True, "content": {body: {"schema": BINARY}}}

        def register(function: F) -> F:
            self.router.add_api_route(
                path,
                function,
                methods=[method],
                responses=responses,
                dependencies=[Depends(admit_later(access) if asks_later else admit(access))],
                openapi_extra=extra,
                **options,
            )
            return function

        return register


def bytes_of(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route whose success is a body of one of these types."""
    return {200: {"content": {name: {"schema": BINARY} for name in media_types}, "description": "The bytes."}}
