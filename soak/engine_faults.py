"""What kills and rivals do to a turn of the engine: real processes, real training, a real database.

Row 101 (ours, not of the table): a turn is killed at random points; nothing is lost, the served model always loads, and
the turn ends as one that nobody killed.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from anymask.data_engine.blobs import Blobs
from anymask.data_engine.loop import Engine
from anymask.data_engine.migrations.upgrading import upgrade
from anymask.data_engine.promote import GateConfig
from anymask.data_engine.store import Database
from anymask.data_engine.tables import MaskRow
from anymask.data_engine.turns.config import EngineConfig, HardestConfig, ScoreConfig, StageConfig, write_config
from anymask.model.weights import load, model_hash
from tests.cli.small_model import write_small_model
from tests.data_engine.turns.labelled_world import add_labelled, make_engine
from tests.data_engine.world import Clock, World

_RESULTS = ("dataset", "candidate", "scores", "decision", "stage", "queue")
"""Steps that must come out the same; the others hold times."""
PICTURES = 8


@dataclass(frozen=True, slots=True)
class Place:
    """An engine with accepted masks, ready for a turn; nothing runs."""

    folder: Path
    cache: Path
    environment: dict[str, str] = field(default_factory=dict)

    def turn(self, **options: Any) -> subprocess.Popen[str]:
        """`anymask engine turn` as a process."""
        words = [sys.executable, "-m", "anymask", "engine", "turn", str(self.folder / "engine"), "--json"]
        return subprocess.Popen(words, text=True, env=self.environment, **options)

    def engine(self) -> Engine:
        """The same engine in this process."""
        config = json.loads((self.folder / "engine" / "engine.json").read_text())
        database = Database(config["database"])
        return Engine(
            self.folder / "engine",
            EngineConfig(database=config["database"], store=config["store"], project=config["project"]),
            database,
            Blobs(config["store"]),
            self.cache,
        )

    @property
    def is_finished(self) -> bool:
        """Whether the first turn has ended."""
        return (self.folder / "engine" / "turns" / "0001" / "turn.json").is_file()

    def results(self) -> dict[str, Any]:
        """What the first turn made."""
        turn = self.folder / "engine" / "turns" / "0001"
        return {step: json.loads((turn / f"{step}.json").read_text()) for step in _RESULTS}


def make_place(folder: Path, *, steps: int, least_gain: float = -1.0) -> Place:
    """A database with finished pictures, and an engine whose gate lets everything pass unless more is asked."""
    (folder / "server").mkdir(parents=True)
    database = Database(f"sqlite:///{folder / 'server' / 'anymask.db'}")
    upgrade(database)
    world = World(database, Blobs(str(folder / "server" / "store")), Clock())
    for seed in range(PICTURES):
        add_labelled(world, seed)
    add_labelled(world, PICTURES, done=False)
    model = load(write_small_model(folder / "start.safetensors", is_sure=False))
    stage = StageConfig(recipe="finetune_all", steps=steps)
    cache = folder / "cache"
    made = make_engine(
        world,
        model,
        folder / "engine",
        assisted=stage,
        gate=GateConfig(least_gain=least_gain, guards=()),
        score=ScoreConfig(clicks=2),
        hardest=HardestConfig(pictures=1, grid=2),
    )
    shutil.copytree(made.cache, cache / "decoders")
    write_config(folder / "engine", made.config)
    database.close()
    path = os.pathsep.join(part for part in sys.path if part)
    environment = {**os.environ, "PYTHONPATH": path, "ANYMASK_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    environment.pop("ANYMASK_DATABASE", None)
    return Place(folder, cache, environment)


def copy_place(place: Place, folder: Path) -> Place:
    """The same as it was before any turn."""
    shutil.copytree(place.folder, folder)
    config = folder / "engine" / "engine.json"
    config.write_text(config.read_text().replace(str(place.folder), str(folder)))
    return replace(place, folder=folder)


def kill_turns(folder: Path, *, kills: int, steps: int = 6) -> str:
    """Turns killed `kills` times end as one that was not, and meanwhile the served model loads.

    A turn that came to its end between two kills is compared, and the next kill meets another from the beginning.
    """
    pristine = make_place(folder / "pristine", steps=steps)
    calm, wild, ended = copy_place(pristine, folder / "calm"), copy_place(pristine, folder / "wild-0"), 0
    begun = time.monotonic()
    assert calm.turn(stdout=subprocess.DEVNULL).wait() == 0
    seconds = time.monotonic() - begun
    rng, reached = random.Random(101), Counter[str]()
    for _ in range(kills):
        with wild.turn(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(rng.uniform(0.1, 0.9) * seconds)
            process.kill()
        reached[_check_whole(wild)] += 1
        if wild.is_finished:
            _check_same(wild, calm)
            ended += 1
            wild = copy_place(pristine, folder / f"wild-{ended}")
    with wild.turn(stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    _check_same(wild, calm)
    seen = ", ".join(f"{count} with {step} done" for step, count in reached.items())
    return f"{kills} kills of turns of {seconds:.0f} s ({seen}): the same dataset, model, scores and decision"


def _check_same(wild: Place, calm: Place) -> None:
    """Same results, and the candidate is served."""
    assert wild.results() == calm.results()
    engine = wild.engine()
    assert engine.current_model() == wild.results()["candidate"]["sha256"]
    engine.database.close()


def _check_whole(place: Place) -> str:
    """The served model loads and every mask is there; the last step that is done."""
    engine = place.engine()
    sha256 = engine.current_model()
    assert model_hash(engine.model(sha256)) == sha256
    masks = engine.database.read(lambda session: session.query(MaskRow).count())
    assert masks == 2 * (PICTURES + 1)
    engine.database.close()
    done = sorted((engine.folder / "turns").glob("0001/*.json"), key=lambda path: path.stat().st_mtime)
    return done[-1].stem if done else "nothing"


def run_two_at_once(folder: Path) -> str:
    """A second turn is refused while the first goes on, and the first is none the worse."""
    place = make_place(folder / "two", steps=4, least_gain=1.0)  # a decoder takes long to write
    with place.turn(stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        plan, until = place.folder / "engine" / "turns" / "0001" / "plan.json", time.monotonic() + 120
        while not plan.exists() and time.monotonic() < until:
            time.sleep(0.05)
        with place.turn(stdout=subprocess.PIPE, stderr=subprocess.PIPE) as second:
            said, _ = second.communicate()
            assert (second.returncode, "another process turns" in said) == (5, True), said
        first.communicate()
        assert first.returncode == 0
    return "a second turn was refused, the first ended well"


def full_size(kills: int) -> bool:
    """Row 101 at its full size."""
    with tempfile.TemporaryDirectory() as folder:
        print(run_two_at_once(Path(folder)), flush=True)
        print(kill_turns(Path(folder), kills=kills), flush=True)
    return True
