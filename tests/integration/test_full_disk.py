"""The server on a disk that is full or read-only: a real server, a real database on a disk of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from soak.server_faults import serve
from tests.cli.servers import Client, new_action
from tests.data_engine.world import SIZE_HW
from tests.integration.team import Team, make_team
from tests.services.postgres import Postgres
from tests.services.processes import environment
from tests.services.small_disk import small_disk

pytestmark = pytest.mark.slow

DISK = "6m"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    with small_disk(tmp_path / "disk", DISK) as at:
        yield at


def fill(disk: Path) -> Path:
    """A file that leaves nothing."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(4096))
        except OSError:
            return filler


def save(client: Client, image: int) -> tuple[int, str, str]:
    """Status, id of the mask, and the sentence, if it was refused."""
    action = new_action(SIZE_HW)
    answer = client.call("POST", f"/images/{image}/actions", {"actions": [action]})
    return answer.status, action["mask_id"], answer.json().get("message", "")


def masks(client: Client, image: int) -> set[str]:
    return {mask["id"] for mask in client.data("GET", f"/images/{image}/masks")["masks"]}


def save_until_full(client: Client, image: int) -> tuple[set[str], str]:
    """What was acknowledged until one was refused, and the sentence."""
    acknowledged = set()
    for _ in range(3000):
        status, mask_id, message = save(client, image)
        if status != 200:
            assert status == 503, message
            return acknowledged, message
        acknowledged.add(mask_id)
    raise AssertionError("the disk is never full")


def check_full_disk(team: Team, disk: Path, model: Path, cache: Path) -> None:
    image = team.images[0]
    with serve(team, model, cache) as server:
        client = team.client(server, 0)
        assert save(client, image)[0] == 200
        before = masks(client, image)
        filler = fill(disk)
        acknowledged, message = save_until_full(client, image)
        assert "nothing was saved" in message
        assert "free space" in message
        assert save(client, image)[0] == 503
        # Reading goes on, and what was acknowledged is all there is.
        assert masks(client, image) == before | acknowledged
        filler.unlink()
        status, last, _ = save(client, image)
        assert status == 200
        fill(disk)
        more, _ = save_until_full(client, image)
        server.kill()
    (disk / "filler").unlink()
    with serve(team, model, cache) as server:
        client = team.client(server, 0)
        assert masks(client, image) == before | acknowledged | {last} | more
        assert save(client, image)[0] == 200


def test_sqlite_on_a_full_disk_keeps_what_it_acknowledged_and_goes_on_when_there_is_space(
    disk: Path, tmp_path: Path, small_model: Path, small_decoder: Path
) -> None:
    team = make_team(f"sqlite:///{disk / 'team.db'}", tmp_path / "team", annotators=1, images=1)
    check_full_disk(team, disk, small_model, small_decoder)


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    server = Postgres(is_durable=True)
    yield server
    server.remove()


def test_postgres_on_a_full_disk_does_too(
    postgres: Postgres, tmp_path: Path, small_model: Path, small_decoder: Path
) -> None:
    # The server's own user must be able to reach the disk, which pytest's folders do not let it.
    with small_disk(postgres.folder / "disk", "24m,mode=777") as at:
        (at / "space").mkdir()
        shutil.chown(at / "space", "postgres")
        postgres.query(f"CREATE TABLESPACE small LOCATION '{at / 'space'}'")
        postgres.query("CREATE DATABASE small TABLESPACE small")
        team = make_team(postgres.url("small"), tmp_path / "team", annotators=1, images=1)
        check_full_disk(team, at, small_model, small_decoder)


def test_a_postgres_that_became_read_only_refuses_with_a_sentence_and_serves_what_there_is(
    postgres: Postgres, tmp_path: Path, small_model: Path, small_decoder: Path
) -> None:
    name = postgres.make_database()
    team = make_team(postgres.url(name), tmp_path / "team", annotators=1, images=1)
    image = team.images[0]
    with serve(team, small_model, small_decoder) as server:
        client = team.client(server, 0)
        status, first, _ = save(client, image)
        assert status == 200
        for mode in ("on", "off"):
            postgres.query(f"ALTER DATABASE {name} SET default_transaction_read_only = {mode}")
            postgres.stop("fast")  # connections keep the mode that they began with
            postgres.start()
            status, last, message = save(client, image)
            if mode == "on":
                assert (status, "read-only" in message, "nothing was saved" in message) == (503, True, True)
                assert masks(client, image) == {first}
        assert (status, masks(client, image)) == (200, {first, last})


def test_a_server_does_not_start_on_a_read_only_disk_and_says_so(disk: Path, tmp_path: Path, small_model: Path) -> None:
    team = make_team(f"sqlite:///{disk / 'team.db'}", tmp_path / "team", annotators=1, images=1)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    command = [sys.executable, "-m", "anymask", *team.arguments(small_model, "--workers", "0")]
    own = environment(ANYMASK_DATABASE=team.url)
    answer = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, env=own)
    assert answer.returncode == 8
    assert "nothing was lost: see that its disk has space and can be written" in answer.stderr
