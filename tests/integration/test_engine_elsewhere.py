"""The engine on stand-ins for a cluster: PostgreSQL, a store that speaks S3, torchrun, and Ray, in one turn."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anymask.data_engine.blobs import Blobs
from anymask.data_engine.store import Database
from anymask.data_engine.turns import stages
from tests.cli.servers import Client, Running
from tests.cli.small_model import write_small_model
from tests.data_engine.turns.labelled_world import add_labelled
from tests.data_engine.world import Clock, World
from tests.services.postgres import Postgres
from tests.services.processes import environment

pytestmark = pytest.mark.slow

STORE = "s3://bucket/masks"
CONFIG = {
    "automatic": {"recipe": "finetune_all", "steps": 3},
    "held_share": 0.3,
    "score": {"clicks": 1},
    "gate": {"least_gain": -1, "guards": []},
    "hardest": {"pictures": 1, "grid": 2},
    "generate": {"preset": "default", "points_per_side": 8, "pictures": 4, "engine": "ray", "workers": 2},
    "launcher": [
        str(Path(sys.executable).with_name("torchrun")),
        *("--standalone", "--nproc-per-node", "2", "-m", "anymask"),
    ],
}


@pytest.fixture
def url(postgres: Postgres, migrated_postgres: str) -> str:
    return postgres.url(postgres.make_database(migrated_postgres))


def engine(folder: Path, own: dict[str, str], verb: str, *words: str) -> str:
    command = [sys.executable, "-m", "anymask", "engine", verb, str(folder), *words]
    done = subprocess.run(command, env=own, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def wait_for_model(client: Client, sha256: str) -> None:
    until = time.monotonic() + 30
    while (now := client.data("GET", "/info")["model"]["sha256"]) != sha256:
        assert time.monotonic() < until, now
        time.sleep(0.2)


@pytest.mark.usefixtures("s3")
def test_a_turn_with_postgresql_s3_torchrun_and_ray_changes_the_model_of_a_running_server(
    tmp_path: Path, url: str
) -> None:
    database = Database(url)
    clock = Clock()
    clock.now = datetime.now(UTC)  # sessions that the server takes
    world = World(database, Blobs(STORE), clock)
    for seed in range(6):
        add_labelled(world, seed)
    for seed in range(6, 14):
        add_labelled(world, seed, done=False, masked=False)
    database.write(lambda session: stages.set_stage(session, world.project.id, "automatic"))
    database.close()
    model = write_small_model(tmp_path / "start.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    own = environment(ANYMASK_CACHE=str(tmp_path / "cache"), ANYMASK_DATABASE=url)
    folder, given = tmp_path / "engine", ["--model", str(model), "--config", str(tmp_path / "config.json")]
    engine(folder, own, "init", "--project", "cups", "--store", STORE, *given)
    where = ["serve", "--workspace", str(tmp_path / "server"), "--store", STORE, "--port", "0"]
    with Running(where, cache=tmp_path / "cache", ANYMASK_DATABASE=url) as server:
        client = Client(server.url)
        client.opener.addheaders = [("Cookie", f"anymask_session={world.tokens[world.ada.id]}")]
        client.begin()
        report = json.loads(engine(folder, own, "turn", "--json"))
        assert report["decision"]["promote"]
        assert report["generated"]["pictures"] == 4
        assert report["generated"]["masks"] > 0
        wait_for_model(client, report["candidate"])
        assert engine(folder, own, "rollback").startswith(f"current is {report['model_before'][:12]}")
        wait_for_model(client, report["model_before"])
    turn = folder / "turns" / "0001"
    made = json.loads((turn / "generated" / "report.json").read_text())
    assert (made["throughput"]["engine"], made["throughput"]["workers"]) == ("ray", 2)
    (begun,) = (turn / "training" / "starts.jsonl").read_text().splitlines()
    assert json.loads(begun)["processes"] == 2
    # All of it is in the bucket, and nothing beside it.
    assert not (folder / "server" / "store").exists()
