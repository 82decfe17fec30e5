"""Browsers for tests: each keeps its cookie and sends its CSRF token, as the tool does."""

from __future__ import annotations

import uuid
from functools import cache
from typing import Any

from fastapi import FastAPI
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from anymask.data_engine import people
from anymask.data_engine.embedding import Embedder
from anymask.data_engine.exports import Exporter
from anymask.data_engine.imports import Importer
from anymask.data_engine.model_shelf import ModelShelf
from anymask.data_engine.worker import Worker
from anymask.model.sam import Sam
from anymask.server.deps import Services
from tests.data_engine.world import draw_picture, provenance, rectangle

ORIGIN = "http://127.0.0.1"
PASSWORD = "a long enough password"
PEOPLE = {
    "Ada": "admin",
    "Rob": "reviewer",
    "Ann": "annotator",
    "Bob": "annotator",
    "Out": "annotator",
    "Ray": "reviewer",
}
"""Out and Ray are members of no project."""


@cache
def hash_once() -> str | None:
    """The password's hash, which takes long on purpose."""
    return people._hash(PASSWORD)


class Browser:
    """One person's."""

    def __init__(self, app: FastAPI, *, base: str = ORIGIN) -> None:
        self.client = TestClient(app, base_url=base, raise_server_exceptions=False)
        self.csrf = ""

    def sign_in(self, name: str, password: str = PASSWORD) -> Any:
        answer = self.client.post("/api/v1/session", json={"name": name, "password": password})
        self.csrf = answer.json().get("csrf_token") or ""
        return answer

    def call(self, method: str, path: str, **options: Any) -> Any:
        headers = {"X-CSRF-Token": self.csrf, **options.pop("headers", {})}
        path = path if path.startswith("/api/") else f"/api/v1{path}"
        return self.client.request(method, path, headers=headers, **options)

    def get(self, path: str, **options: Any) -> Any:
        return self.call("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> Any:
        return self.call("POST", path, json=json if json is not None or "content" in options else {}, **options)

    def data(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of an answer that must be a success."""
        answer = self.call(method, path, **options)
        assert answer.status_code < 300, answer.text
        return answer.json()


class Site:
    """The application with its people; each has a browser that is signed in."""

    def __init__(self, app: FastAPI, services: Services, model: Sam) -> None:
        self.app, self.services, self.model = app, services, model
        self.ids: dict[str, int] = {}
        self._browsers: dict[str, Browser] = {}
        hashed = hash_once()

        def add(session: Session) -> None:
            for name, role in PEOPLE.items():
                row = people.add_person(session, name, role, None, services.database.clock())
                row.password_hash, self.ids[name] = hashed, row.id

        services.database.write(add)

    def browser(self, name: str) -> Browser:
        """A browser with a session, begun without the slow password."""
        if name not in self._browsers:
            browser, database = Browser(self.app), self.services.database
            token = database.write(lambda s: people.begin_session(s, self.ids[name], database.clock()))
            browser.client.cookies.set("anymask_session", token)
            browser.csrf = browser.data("GET", "/session")["csrf_token"]
            self._browsers[name] = browser
        return self._browsers[name]

    def stranger(self, **options: Any) -> Browser:
        return Browser(self.app, **options)

    def add_project(self, name: str = "cups", **settings: Any) -> int:
        ada = self.browser("Ada")
        project_id = int(ada.data("POST", "/projects", json={"name": name, "settings": settings})["id"])
        for member in ("Rob", "Ann", "Bob"):
            assert ada.call("PUT", f"/projects/{project_id}/members/{self.ids[member]}").status_code == 204
        return project_id

    def add_picture(self, project_id: int, name: str = "one.png", seed: int = 0) -> Any:
        ada = self.browser("Ada")
        path = f"/projects/{project_id}/images?file_name={name}"
        return ada.data("POST", path, content=draw_picture(seed))

    def work(self) -> None:
        """What the worker process does, here."""
        services = self.services
        shelf = ModelShelf(services.database, services.blobs, lambda: self.model)
        handlers = {
            "embed": Embedder(services.database, services.blobs, shelf),
            "import": Importer(services.database, services.blobs, services.model.sha256),
            "export": Exporter(services.database, services.blobs, services.config.import_roots[0].parent / "exports"),
        }
        worker = Worker(services.database, handlers)
        while worker.run_once():
            pass

    def close(self) -> None:
        for browser in self._browsers.values():
            browser.client.close()


def action(kind: str = "create", box: tuple[int, int, int, int] = (2, 3, 10, 12), **changes: Any) -> dict[str, Any]:
    """An action as the tool sends it."""
    made: dict[str, Any] = {
        "key": uuid.uuid4().hex,
        "kind": kind,
        "mask_id": str(uuid.uuid4()),
        "at": "2026-05-01T12:00:00Z",
    }
    if kind in ("create", "replace"):
        made["mask"] = {"rle": rectangle(*box), "provenance": provenance()}
    return made | changes
