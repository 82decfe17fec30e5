"""The server against what machines, networks and people do to it: real processes, on SQLite and PostgreSQL.

The sizes here are small; `make soak` runs the same functions of `soak/server_faults.py` at their full size.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from soak import api_fuzz, server_faults, sizes
from soak.transfers import Carrying
from tests.integration.team import Team, make_team

pytestmark = pytest.mark.slow

Make = Callable[..., Team]


@pytest.fixture
def make(database_url: str, tmp_path: Path) -> Make:
    def make(*, annotators: int = 1, images: int = 3) -> Team:
        return make_team(database_url, tmp_path / "team", annotators=annotators, images=images)

    return make


def test_a_server_killed_at_any_moment_has_every_acknowledged_mask_once(
    make: Make, small_model: Path, small_decoder: Path
) -> None:
    server_faults.kill_server(make(), small_model, small_decoder, kills=sizes.SERVER_KILLS_CI)


def test_saves_sent_again_and_two_writers_lose_nothing(make: Make, small_model: Path, small_decoder: Path) -> None:
    server_faults.write_from_two_sides(make(), small_model, small_decoder, rounds=5)


def test_each_task_is_leased_once_and_late_writers_are_refused(
    make: Make, small_model: Path, small_decoder: Path
) -> None:
    team = make(annotators=sizes.QUEUE_CLIENTS, images=sizes.QUEUE_TASKS)
    server_faults.lease_queue(
        team, small_model, small_decoder, rounds=sizes.QUEUE_ROUNDS_CI, clients=sizes.QUEUE_CLIENTS
    )


def test_a_migration_killed_midway_is_done_by_the_next_start(database_url: str) -> None:
    server_faults.kill_migrations(database_url, kills=sizes.MIGRATION_KILLS_CI)


def test_a_steady_load_loses_nothing(make: Make, small_model: Path, small_decoder: Path) -> None:
    annotators, writes = sizes.LOAD_CI
    server_faults.check_load(
        make(), small_model, small_decoder, annotators=annotators, writes_a_second=writes, seconds=sizes.LOAD_S_CI
    )


def test_pictures_are_brought_in_and_written_out_by_workers_that_die_while_people_save(
    make: Make, tmp_path: Path, small_model: Path, small_decoder: Path
) -> None:
    team = make(images=sizes.TRANSFER_PEOPLE)
    carrying = Carrying(
        team=team,
        model=small_model,
        cache=small_decoder,
        folder=tmp_path,
        pictures=sizes.TRANSFER_PICTURES_CI,
        writes_a_second=sizes.TRANSFER_WRITES_A_SECOND,
        kills=sizes.TRANSFER_KILLS_CI,
    )
    with carrying.served() as server:
        carrying.bring_in(server)
        carrying.carry(server, "coco" if team.url.startswith("sqlite") else "labels")


def test_random_requests_made_from_the_description_are_no_servers_fault(
    make: Make, small_model: Path, small_decoder: Path
) -> None:
    api_fuzz.run(make(), small_model, small_decoder, seconds=sizes.API_FUZZ_S_CI)
