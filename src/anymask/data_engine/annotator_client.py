"""A program's way to the annotation server: the browser's requests over HTTP, sent again until they are answered."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from anymask.errors import InputError, LeaseLostError, NotThereError, SignInError, StoreError

_COOKIE = "anymask_session"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_CLOSED = (OSError, HTTPException)
"""What a server that ends in the middle of an answer looks like."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs in; nobody has to where a server is for one person alone."""

    name: str
    password: str


class AnnotationClient:
    """One signed-in person. Not safe to share among threads."""

    def __init__(
        self,
        url: str,
        credentials: Credentials | None = None,
        *,
        patience_s: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """At `url`, http://HOST:PORT/. A server that is away or busy is asked again for `patience_s` seconds.

        Raises: InputError for another kind of address.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"the server's address is {url!r}, expected one like http://127.0.0.1:8322/")
        self.credentials, self.patience_s, self.sleep = credentials, patience_s, sleep
        self._make = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._address = (parts.hostname, parts.port)
        self._connection: HTTPConnection | None = None
        self._cookie = self._csrf = ""

    def get(self, path: str) -> Any:
        """The answer to a question, None when it is empty.

        Raises: StoreError as `ask`.
        """
        return self.ask("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        """The same for a change.

        Raises: StoreError as `ask`.
        """
        return self.ask("POST", path, {} if body is None else body)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """What the server answers, as soon as it does; a save that conflicts is an answer too (a BatchResult).

        Raises: LeaseLostError, NotThereError, SignInError, and StoreError for any other refusal or when patience ends.
        """
        until, pause_s = time.monotonic() + self.patience_s, _FIRST_PAUSE_S
        while True:
            try:
                if not self._csrf:
                    self._begin()
                status, answer = self._send(method, path, body)
                if status == 401 and self._csrf:
                    self._csrf = self._cookie = ""
                    continue
                if status < 500 and status != 429:
                    return _checked(status, answer)
                reason = _message(answer, status)
            except SignInError:
                self.close()
                raise
            except _CLOSED as error:
                self.close()
                reason = str(error) or type(error).__name__
            if time.monotonic() > until:
                raise StoreError(
                    f"the server at {self._address[0]}:{self._address[1]} did not answer for {self.patience_s:.0f} s "
                    f"({reason}); see that it runs, then begin again"
                )
            self.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def close(self) -> None:
        """End the connection; the next request makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _begin(self) -> None:
        if self.credentials is None:
            status, answer = self._send("GET", "/session")
        else:
            who = {"name": self.credentials.name, "password": self.credentials.password}
            status, answer = self._send("POST", "/session", who)
            if status in (401, 403):
                raise SignInError(f"{self.credentials.name!r} cannot sign in: {_message(answer, status)}")
        if status >= 500 or status == 429:
            raise HTTPException(_message(answer, status))
        token = _checked(status, answer)["csrf_token"]
        if token is None:
            raise SignInError("this server wants people to sign in; give a name and a password")
        self._csrf = token

    def _send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        if self._connection is None:
            self._connection = self._make(*self._address, timeout=60)
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/octet-stream" if isinstance(body, bytes) else "application/json"}
        if self._cookie:
            headers["Cookie"] = f"{_COOKIE}={self._cookie}"
        if self._csrf:
            headers["X-CSRF-Token"] = self._csrf
        self._connection.request(method, f"/api/v1{path}", data, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        for value in answer.headers.get_all("Set-Cookie", []):
            name, _, rest = value.partition("=")
            if name == _COOKIE:
                self._cookie = rest.split(";", 1)[0]
        return answer.status, json.loads(text) if text else None


def _checked(status: int, answer: Any) -> Any:
    if status < 300 or (status == 409 and isinstance(answer, dict) and "results" in answer):
        return answer
    message = _message(answer, status)
    if isinstance(answer, dict) and answer.get("kind") == "lease_lost":
        raise LeaseLostError(message)
    if status == 404:
        raise NotThereError(message)
    raise StoreError(message)


def _message(answer: Any, status: int) -> str:
    known = isinstance(answer, dict) and "message" in answer
    return str(answer["message"]) if known else f"the server answered with status {status}"
