"""Workers that hang, though they live: stopped ones, and those that wait for ever for a picture. Real processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from anymask.data_engine.blobs import Blobs
from anymask.data_engine.tables import ImageRow, JobRow
from tests.cli.servers import Running
from tests.integration.team import Team, make_team

pytestmark = pytest.mark.slow


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return make_team(f"sqlite:///{tmp_path / 'team.db'}", tmp_path / "team", annotators=1, images=2)


def serve(team: Team, model: Path, cache: Path, *more: str) -> Running:
    arguments = team.arguments(model, "--workers", "1", *more)
    return Running(arguments, cache=cache, ANYMASK_DATABASE=team.url)


def hang_at_first(team: Team) -> tuple[Path, bytes]:
    """Have reading the first picture never come to an end, as on a network disk that is away; its file as it was."""
    database = team.database()
    row = database.read(lambda session: session.get_one(ImageRow, team.images[0]))
    database.close()
    file = Path(Blobs(str(team.workspace / "store"))._path(row.pixels_key))
    data = file.read_bytes()
    file.unlink()
    os.mkfifo(file)
    return file, data


def jobs(team: Team) -> list[Any]:
    """(state, attempts, message) of the embeddings, in order."""
    database = team.database()
    columns = (JobRow.state, JobRow.attempts, JobRow.message)
    rows = database.read(lambda s: s.execute(select(*columns).where(JobRow.kind == "embed").order_by(JobRow.id)).all())
    database.close()
    return [tuple(row) for row in rows]


def wait_for(team: Team, claim: Callable[[list[Any]], bool], wait_s: float, server: Running) -> list[Any]:
    until = time.monotonic() + wait_s
    while not claim(found := jobs(team)):
        assert time.monotonic() < until, (found, server.read_log())
        time.sleep(0.2)
    return found


def test_a_picture_that_hangs_its_worker_is_set_aside_after_three_tries_and_the_others_are_done(
    team: Team, small_model: Path, small_decoder: Path
) -> None:
    hang_at_first(team)
    with serve(team, small_model, small_decoder, "--job-limit", "15") as server:
        found = wait_for(team, lambda rows: {row[0] for row in rows} == {"set_aside", "done"}, 400, server)
        assert [row[0] for row in found] == ["set_aside", "done"]
        assert found[0][1] == 3
        assert "no progress in 15 s" in found[0][2]
        assert server.read_log().count("this worker ends itself") >= 3
        (named,) = team.client(server, 0).data("GET", f"/projects/{team.project_id}/jobs")
        assert (named["state"], named["message"]) == ("set_aside", found[0][2])


def test_a_stopped_worker_is_ended_and_its_picture_embedded_by_the_next_one(
    team: Team, small_model: Path, small_decoder: Path
) -> None:
    file, data = hang_at_first(team)
    with serve(team, small_model, small_decoder) as server:
        wait_for(team, lambda rows: bool(rows) and rows[0][0] == "running", 120, server)
        (worker,) = server.workers()
        worker.send_signal(signal.SIGSTOP)
        file.unlink()
        file.write_bytes(data)
        found = wait_for(team, lambda rows: {row[0] for row in rows} == {"done"}, 180, server)
        assert found[0][1] == 2
        assert not worker.is_running()
        assert "no sign of life" in server.read_log()
