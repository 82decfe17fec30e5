"""Real server processes for tests: started, spoken to over HTTP, ended or killed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Sequence
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from tests.data_engine.world import provenance, rectangle
from tests.services.processes import environment

PASSWORD = "the admin's password"


class Answer:
    """Status, headers and body."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """A browser for a real server: standard library only, one connection a request."""

    def __init__(self, url: str) -> None:
        self.url, self.csrf = url.rstrip("/"), ""
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def begin(self) -> Client:
        self.csrf = self.data("GET", "/session")["csrf_token"]
        return self

    def sign_in(self, name: str, password: str = PASSWORD) -> Client:
        self.csrf = self.data("POST", "/session", {"name": name, "password": password})["csrf_token"]
        return self

    def call(
        self, method: str, path: str, body: Any = None, *, timeout_s: float = 60, headers: dict[str, str] | None = None
    ) -> Answer:
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        headers = {"X-CSRF-Token": self.csrf, "Content-Type": "application/json", **(headers or {})}
        path = path if path.startswith("/api") else f"/api/v1{path}"
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with self.opener.open(request, timeout=timeout_s) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read())

    def data(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.call(method, path, body)
        assert answer.status < 300, answer.body
        return answer.json() if answer.body else None

    def act(self, image_id: int, size_hw: tuple[int, int] | None = None, **changes: Any) -> dict[str, Any]:
        """Create one mask; the action that did it."""
        if size_hw is None:
            image = self.data("GET", f"/images/{image_id}")
            size_hw = image["height"], image["width"]
        made = new_action(size_hw)
        self.data("POST", f"/images/{image_id}/actions", {"actions": [made], **changes})
        return made


def new_action(size_hw: tuple[int, int]) -> dict[str, Any]:
    return {
        "key": uuid.uuid4().hex,
        "kind": "create",
        "mask_id": str(uuid.uuid4()),
        "at": "2026-05-01T12:00:00Z",
        "mask": {"rle": rectangle(0, 0, 9, 9, size_hw), "provenance": provenance()},
    }


class Running:
    """`anymask ARGUMENTS` as a process, ready when it has told its address."""

    def __init__(self, arguments: Sequence[str], *, cache: Path, start_s: float = 180, **more: str) -> None:
        self.arguments, self.start_s = list(arguments), start_s
        own = {"ANYMASK_CACHE": str(cache), "ANYMASK_ADMIN_PASSWORD": PASSWORD}
        self.environment = environment(**own | more)
        self.log = tempfile.NamedTemporaryFile(mode="w+", suffix=".log")  # noqa: SIM115
        self.url = ""

    def __enter__(self) -> Running:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "anymask", *self.arguments],
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=self.environment,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert " at http://" in line, self.read_log()
        told = urlsplit(re.findall(r" at (http\S+)", line)[-1])  # which may name a page
        self.url = f"{told.scheme}://{told.netloc}/"
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.log.close()

    def kill(self) -> None:
        """No goodbye: SIGKILL."""
        self.process.kill()
        self.process.wait()

    def workers(self) -> list[psutil.Process]:
        until = time.monotonic() + 60
        while not (found := psutil.Process(self.process.pid).children()) and time.monotonic() < until:
            time.sleep(0.05)
        return found

    def browser(self) -> Client:
        return Client(self.url).begin()

    def wait_for_embedding(self, client: Client, project_id: int, *, wait_s: float = 120) -> Any:
        """The project's first picture, once it is embedded."""
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            images = client.data("GET", f"/projects/{project_id}/images")["images"]
            if images and images[0]["embedding"] == "ready":
                return images[0]
            time.sleep(0.2)
        raise AssertionError(self.read_log())

    def read_log(self) -> str:
        return Path(self.log.name).read_text()[-3000:]
