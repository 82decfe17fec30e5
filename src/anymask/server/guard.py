"""What every request and answer passes: host, address, size and pace of the body, and headers that forbid."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anymask.server.config import ServerConfig, is_loopback
from anymask.server.problems import Refusal, answer

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Content-Security-Policy: nothing from elsewhere, no script but the tool's own files."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    # Together these two give the page threads in WebAssembly.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "X-Frame-Options": "DENY",
}
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
UPLOADS = ("images", "annotations")
"""Last parts of the paths whose bodies are files."""


class Guard:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp, config: ServerConfig) -> None:
        self.app, self.config = app, config
        self.uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        send = _with_headers(send, scope["path"])
        if not self._is_known(headers.get("host", "")):
            message = (
                "this server is not called so; open it under the name it was started with (--public-host adds one)"
            )
            await answer(400, "host", message)(scope, receive, send)
            return
        if _has_nul(scope):
            message = "an address must not contain the character NUL; the ids in it are the server's own"
            await answer(400, "request", message)(scope, receive, send)
            return
        is_upload = scope["method"] == "POST" and scope["path"].rstrip("/").rsplit("/", 1)[-1] in UPLOADS
        limit = self.config.max_upload_bytes if is_upload else self.config.max_json_bytes
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > limit:
            await _too_large(limit)(scope, receive, send)
            return
        if not is_upload:
            await self.app(scope, self._paced(receive, limit), send)
            return
        if self.uploads >= self.config.uploads_at_once:
            await answer(503, "busy", "too many files are being uploaded at once; send this one again")(
                scope, receive, send
            )
            return
        self.uploads += 1
        try:
            await self.app(scope, self._paced(receive, limit), send)
        finally:
            self.uploads -= 1

    def _is_known(self, host: str) -> bool:
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        name = name.strip("[]").lower()
        return is_loopback(name) or name in self.config.public_hosts

    def _paced(self, receive: Receive, limit: int) -> Receive:
        """`receive`, which refuses a body that is too large or comes too slowly."""
        loop, config = asyncio.get_running_loop(), self.config
        begun, got, ended = loop.time(), 0, False

        async def paced() -> Message:
            nonlocal got, ended
            if ended:  # what comes now is the news that the client went away, whenever that is
                return await receive()
            left = begun + config.body_wait_s + got / config.slowest_bytes_s - loop.time()
            try:
                message = await asyncio.wait_for(receive(), max(left, 0.001))
            except TimeoutError as error:
                raise Refusal(408, "slow", "the body came too slowly; send it again on a better connection") from error
            if message["type"] == "http.request":
                got += len(message.get("body", b""))
                ended = not message.get("more_body", False)
                if got > limit:
                    raise Refusal(413, "large", _large(limit))
            return message

        return paced


def _has_nul(scope: Scope) -> bool:
    """Whether the path or the query has a NUL, which no id has and PostgreSQL's texts cannot hold."""
    return "\x00" in scope["path"] or b"%00" in scope["query_string"] or b"\x00" in scope["query_string"]


def _large(limit: int) -> str:
    return f"the body has more than {limit:,} bytes; send less at once"


def _too_large(limit: int) -> Any:
    response = answer(413, "large", _large(limit))
    response.headers["Connection"] = "close"
    return response


def _with_headers(send: Send, path: str) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message.setdefault("headers", [])
            headers += _RAW_HEADERS
            if path.startswith("/api/") and not any(name == b"cache-control" for name, _ in headers):
                headers.append((b"cache-control", b"no-store"))
        await send(message)

    return with_headers
