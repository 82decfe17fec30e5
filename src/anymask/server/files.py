"""Stored files as answers: strong ETags, kept by browsers for ever where the address names the content, in parts."""

from __future__ import annotations

import gzip
import re

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from anymask.data_engine.blobs import Blobs

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_FOR_EVER = "private, max-age=31536000, immutable"


def send_blob(
    request: Request,
    blobs: Blobs,
    key: str,
    media_type: str,
    *,
    immutable: bool,
    gzipped: bool = False,
    file_name: str | None = None,
) -> Response:
    """The blob `key`; 304 when the browser has it, 206 for one range of bytes.

    `immutable`: whether the address can never mean another content. `gzipped`: what is stored is the compressed form,
    sent as it is to browsers that take it. `file_name` makes it a download.

    Raises: NotThereError.
    """
    headers: dict[str, str] = {"Cache-Control": _FOR_EVER if immutable else "private, no-cache", "ETag": f'"{key}"'}
    if file_name is not None:
        headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    if gzipped:
        headers["Vary"] = "Accept-Encoding"
        if "gzip" not in request.headers.get("accept-encoding", ""):
            headers["ETag"] = f'"{key}-plain"'
            return _not_modified(request, headers) or Response(
                gzip.decompress(blobs.read(key)), media_type=media_type, headers=headers
            )
        headers["Content-Encoding"] = "gzip"
    else:
        headers["Accept-Ranges"] = "bytes"
    size = blobs.size(key)
    found = _not_modified(request, headers)
    if found is not None:
        return found
    start, stop, status = 0, size, 200
    wanted = None if gzipped else _RANGE.fullmatch(request.headers.get("range", ""))
    if wanted is not None and request.headers.get("if-range", headers["ETag"]) == headers["ETag"]:
        span = _span(wanted[1], wanted[2], size)
        if span is None:
            return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{size}"})
        start, stop, status = span[0], span[1], 206
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    headers["Content-Length"] = str(stop - start)
    return StreamingResponse(blobs.read_part(key, start, stop), status, headers, media_type)


def _not_modified(request: Request, headers: dict[str, str]) -> Response | None:
    given = request.headers.get("if-none-match", "")
    known = {part.strip().removeprefix("W/") for part in given.split(",")}
    if headers["ETag"] in known or given.strip() == "*":
        kept = {name: value for name, value in headers.items() if name in ("ETag", "Cache-Control", "Vary")}
        return Response(status_code=304, headers=kept)
    return None


def _span(first: str, last: str, size: int) -> tuple[int, int] | None:
    """(start, stop) of a range header's two numbers; None when it lies outside.

    >>> _span("0", "9", 100), _span("90", "", 100), _span("", "5", 100), _span("100", "", 100)
    ((0, 10), (90, 100), (95, 100), None)
    """
    if not first:
        return None if not last or int(last) == 0 or size == 0 else (max(size - int(last), 0), size)
    start, stop = int(first), min(int(last) + 1 if last else size, size)
    return (start, stop) if start < stop else None
