"""A team's real server with people and pictures, made quickly: rows are written directly, then the server starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from anymask.data_engine import people, pictures, projects
from anymask.data_engine.blobs import Blobs
from anymask.data_engine.migrations.upgrading import upgrade
from anymask.data_engine.people import hash_token
from anymask.data_engine.store import Database
from anymask.data_engine.tables import SessionRow
from tests.cli.servers import Client, Running
from tests.data_engine.world import draw_picture


@dataclass(frozen=True, slots=True)
class Team:
    """What `anymask serve` needs, and who may sign in."""

    url: str
    workspace: Path
    project_id: int
    images: list[int]
    tokens: list[str]
    """A session of each person: the first is admin, the second reviewer, the others are annotators."""

    def arguments(self, model: Path, *more: str) -> list[str]:
        where = ["--workspace", str(self.workspace), "--store", str(self.workspace / "store")]
        return ["serve", *where, "--port", "0", "--model", str(model), *more]

    def client(self, server: Running, person: int) -> Client:
        client = Client(server.url)
        client.opener.addheaders = [("Cookie", f"anymask_session={self.tokens[person]}")]
        return client.begin()

    def database(self) -> Database:
        return Database(self.url)


def make_team(url: str, workspace: Path, *, annotators: int, images: int) -> Team:
    """A migrated database with one project."""
    workspace.mkdir(exist_ok=True)
    database, blobs = Database(url), Blobs(str(workspace / "store"))
    upgrade(database)
    now = database.clock()
    kept = [pictures.keep_picture(blobs, draw_picture(seed)) for seed in range(min(images, 4))]
    roles = ["admin", "reviewer", *["annotator"] * annotators]
    tokens = [f"token-of-person-{index}" for index in range(len(roles))]

    def fill(session: Session) -> tuple[int, list[int]]:
        ids = []
        for index, role in enumerate(roles):
            row = people.add_person(session, f"person {index}", role, None, now)
            ids.append(row.id)
            until = now + people.SESSION_LASTS
            session.add(
                SessionRow(token_sha256=hash_token(tokens[index]), person_id=row.id, created_at=now, expires_at=until)
            )
        people.get_person(session, ids[0]).password_hash = people._hash("the admin's password")
        project = projects.add_project(session, "team", None, {}, ids[0], now)
        for person in ids[1:]:
            projects.add_member(session, project.id, person)
        made = [
            pictures.add_picture(session, project.id, f"{index}.png", kept[index % len(kept)], now, None).id
            for index in range(images)
        ]
        return project.id, made

    project_id, made = database.write(fill)
    database.close()
    return Team(url, workspace, project_id, made, tokens)
