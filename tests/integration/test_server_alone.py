"""The server's faults that no database has a part in, and those of one kind of database."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from soak import server_faults, sizes
from tests.integration.team import Team, make_team
from tests.services.postgres import Postgres

pytestmark = pytest.mark.slow


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return make_team(f"sqlite:///{tmp_path / 'team.db'}", tmp_path / "team", annotators=1, images=2)


def test_a_killed_workers_picture_is_embedded_by_the_next_within_a_minute(
    team: Team, small_model: Path, small_decoder: Path
) -> None:
    server_faults.poison(team, small_model, small_decoder, kills=1)


def test_slow_and_large_bodies_keep_nobody_else_waiting(team: Team, small_model: Path, small_decoder: Path) -> None:
    server_faults.slow_bodies(team, small_model, small_decoder, connections=10)


@pytest.fixture
def durable_postgres() -> Iterator[Postgres]:
    server = Postgres(is_durable=True)
    yield server
    server.remove()


def test_postgres_restarted_under_load_loses_nothing(
    durable_postgres: Postgres, tmp_path: Path, small_model: Path, small_decoder: Path
) -> None:
    url = durable_postgres.url(durable_postgres.make_database())
    made = make_team(url, tmp_path / "team", annotators=1, images=5)
    server_faults.restart_postgres(made, durable_postgres, small_model, small_decoder, restarts=sizes.RESTARTS_CI)


@pytest.mark.parametrize(
    ("arguments", "environment", "advice"),
    [
        ((), {}, "ANYMASK_ADMIN_PASSWORD"),
        (("--host", "0.0.0.0"), {"ANYMASK_ADMIN_PASSWORD": "long enough a password"}, "ANYMASK_SECRET"),
        (("--host", "0.0.0.0"), {"ANYMASK_SECRET": "s" * 40}, "--public-host"),
    ],
)
def test_the_program_ends_at_once_when_it_would_not_be_safe(
    tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str], advice: str
) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANYMASK_")}
    command = [sys.executable, "-m", "anymask", "serve", "--workspace", str(tmp_path), "--port", "0", *arguments]
    answer = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**kept, **environment}, timeout=120
    )
    assert answer.returncode == 2
    assert advice in answer.stderr
