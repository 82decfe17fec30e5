"""Errors as answers: each class of `errors.py` has a status and a stable name, and keeps its sentence."""

from __future__ import annotations

import logging
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from anymask import errors
from anymask.errors import AnymaskError

_LOG = logging.getLogger(__name__)

STATUS: dict[type[AnymaskError], tuple[int, str]] = {
    errors.TooManyTriesError: (429, "too_many_tries"),
    errors.SignInError: (401, "sign_in"),
    errors.NotAllowedError: (403, "not_allowed"),
    errors.NotThereError: (404, "not_there"),
    errors.LeaseLostError: (409, "lease_lost"),
    errors.TakenError: (409, "taken"),
    errors.EmbeddingMismatchError: (409, "wrong_model"),
    errors.NotWritableError: (503, "not_writable"),
    errors.StoreError: (503, "store"),
    errors.ImageError: (422, "image"),
    errors.MaskError: (422, "mask"),
    errors.PromptError: (422, "prompt"),
    errors.PathError: (422, "path"),
    errors.InputError: (422, "input"),
    errors.DatasetError: (422, "dataset"),
}
"""Most specific first."""

_OF_STATUS = {400: "request", 401: "sign_in", 403: "csrf", 404: "not_there", 405: "method", 408: "slow", 413: "large"}
_RETRY_S = {429: "60", 503: "2"}


class Refusal(HTTPException):
    """A refusal that belongs to HTTP itself, with its stable name."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(status, message)
        self.kind = kind


def answer(status: int, kind: str, message: str) -> JSONResponse:
    """The body of every answer that is not a success."""
    headers = {"Retry-After": _RETRY_S[status]} if status in _RETRY_S else None
    return JSONResponse({"kind": kind, "message": message}, status, headers)


def install(app: FastAPI) -> None:
    """Have every error answered so."""
    app.add_exception_handler(AnymaskError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def _ours(_request: Request, error: Exception) -> JSONResponse:
    status, kind = next((found for known, found in STATUS.items() if isinstance(error, known)), (500, "internal"))
    if status >= 500:
        _LOG.warning("%s: %s", kind, error)
    return answer(status, kind, str(error))


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    several = cast(RequestValidationError, error).errors()
    first = several[0] if several else {"loc": (), "msg": "it does not have the form that is expected"}
    where = ".".join(str(part) for part in first["loc"][:8])
    more = f" (and {len(several) - 1} more)" if len(several) > 1 else ""
    message = f"{where[:200]}: {first['msg'][:300]}{more}; see /openapi.json for what is expected"
    # A value that came as a lone surrogate must not break the answer that tells of it.
    return answer(422, "value", message.encode("utf-8", "replace").decode())


def _http(_request: Request, error: Exception) -> JSONResponse:
    known = cast(HTTPException, error)
    kind = known.kind if isinstance(known, Refusal) else _OF_STATUS.get(known.status_code, "request")
    response = answer(known.status_code, kind, str(known.detail))
    response.headers.update(known.headers or {})
    return response


def _unexpected(_request: Request, error: Exception) -> JSONResponse:
    _LOG.error("a request failed", exc_info=error)
    return answer(500, "internal", "the server failed at this; its log says why. Try again, and report it if it stays")
