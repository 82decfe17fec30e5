"""The loop as a running machine: real servers, real training steps, simulated people over HTTP; kills and rivals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from anymask.data_engine.blobs import Blobs
from anymask.data_engine.store import Database
from anymask.data_engine.turns.freeze import choose_masks, freeze
from soak import engine_faults, sizes
from tests.cli.small_model import write_small_model
from tests.data_engine.turns.labelled_world import add_labelled
from tests.data_engine.world import Clock, World
from tests.services.processes import environment

pytestmark = pytest.mark.slow

LEARNING, RUINOUS = 2e-3, 30.0
CONFIG = {
    "assisted": {"recipe": "finetune_all", "steps": 40, "lr": LEARNING},
    "held_share": 0.1,
    "score": {"clicks": 3},
    "gate": {"guards": ["clicks_3"]},
    "hardest": {"pictures": 4, "grid": 2},
}
HABITS = {"most_clicks": 2, "time_spread": 0.2}


def shard_of(folder: Path, migrated: Path, seeds: range) -> Path:
    """Pictures of rectangles with their label maps."""
    folder.mkdir()
    (folder / "a.db").write_bytes(migrated.read_bytes())
    database = Database(f"sqlite:///{folder / 'a.db'}")
    world = World(database, Blobs(str(folder / "store")), Clock())
    for seed in seeds:
        add_labelled(world, seed)
    choices = database.read(lambda session: choose_masks(session, world.project.id))
    freeze(database, world.blobs, choices, folder / "v", held_share=1e-9, seed=0)
    database.close()
    return folder / "v" / "train.tar"


class Runner:
    """The engine's commands as processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = environment(ANYMASK_CACHE=str(folder / "cache"))

    def __call__(self, verb: str, *words: str) -> str:
        command = [sys.executable, "-m", "anymask", "engine", verb, str(self.folder / "engine"), *words]
        done = subprocess.run(command, env=self.environment, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def status(self) -> Any:
        return json.loads(self("status", "--json"))

    def configure(self, **assisted: Any) -> None:
        path = self.folder / "engine" / "engine.json"
        config = json.loads(path.read_text())
        config["assisted"] |= assisted
        path.write_text(json.dumps(config))


def test_two_turns_on_a_real_server_one_promoted_one_refused_and_a_way_back(
    tmp_path: Path, migrated_sqlite: Path
) -> None:
    truth = shard_of(tmp_path / "truth", migrated_sqlite, range(16))
    held = shard_of(tmp_path / "held", migrated_sqlite, range(100, 124))
    start = write_small_model(tmp_path / "untrained.safetensors", is_sure=False)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "habits.json").write_text(json.dumps(HABITS))
    run = Runner(tmp_path)
    given = ["--model", str(start), "--pictures", str(truth), "--benchmark", str(held)]
    run("init", "--project", "shapes", *given, "--config", str(tmp_path / "config.json"))
    people = ["--simulate", str(truth), "--habits", str(tmp_path / "habits.json"), "--pictures", "7"]

    run("run", "--turns", "1", *people)
    first = run.status()
    (turn,) = first["turns"]
    # Learning from an untrained start is a real improvement.
    assert turn["promoted"], turn["reason"]
    assert turn["low"] > 0
    assert turn["masks"] >= 10
    assert [one["kind"] for one in first["deployments"]] == ["start", "promote"]

    run.configure(lr=RUINOUS, steps=4)
    run("run", "--turns", "2", *people)
    second = run.status()
    assert not second["turns"][1]["promoted"], second["turns"][1]["reason"]
    assert "not promoted" in second["turns"][1]["reason"]
    assert second["deployments"] == first["deployments"]
    assert second["turns"][1]["masks"] > turn["masks"]

    run("rollback")
    last = run.status()["deployments"][-1]
    assert (last["kind"], last["model_sha256"]) == ("rollback", first["deployments"][0]["model_sha256"])
    run("status", "--html", str(tmp_path / "page.html"))
    assert "data:image/png" in (tmp_path / "page.html").read_text()


def test_a_killed_turn_loses_nothing_and_ends_the_same(tmp_path: Path) -> None:
    # Without a promotion no decoder is written, which takes long.
    refused = {"semi_automatic": 1.0, "automatic": 1.0}
    said = engine_faults.kill_turns(tmp_path, kills=sizes.ENGINE_KILLS_CI, least_gain=refused)
    assert said.count("ended the same") == len(sizes.ENGINE_KILLS_CI)


def test_two_turns_at_once_are_refused(tmp_path: Path) -> None:
    engine_faults.run_two_at_once(tmp_path)
