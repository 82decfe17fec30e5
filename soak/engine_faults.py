"""What kills and rivals do to a turn of the engine: real processes, real training, a real database.

Row 101 (ours, not of the table): turns of all three stages are killed at random points; nothing is lost, the served
model always loads, and the turn ends as one that nobody killed, in its folder and in the database.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from anymask.data_engine import deployment
from anymask.data_engine.blobs import Blobs
from anymask.data_engine.loop import CONFIG_OF_TURN, Engine
from anymask.data_engine.migrations.upgrading import upgrade
from anymask.data_engine.promote import GateConfig
from anymask.data_engine.store import Database
from anymask.data_engine.tables import (
    DeploymentRow,
    DetectorRow,
    JobRow,
    JournalRow,
    MaskRow,
    ModelRow,
    TaskRow,
    TurnRow,
)
from anymask.data_engine.turns import stages
from anymask.data_engine.turns.config import (
    ASSISTED,
    AUTOMATIC,
    SEMI_AUTOMATIC,
    AutomaticConfig,
    EngineConfig,
    HardestConfig,
    ScoreConfig,
    StageConfig,
    write_config,
)
from anymask.data_engine.turns.folder import END
from anymask.dataset.choose import part_of
from anymask.model.weights import load, model_hash
from anymask.training.detector_config import DetectorConfig
from tests.cli.small_model import write_small_model
from tests.data_engine.turns.labelled_world import add_labelled, make_engine
from tests.data_engine.world import Clock, World
from tests.services.processes import environment

_STEPS = ("dataset", "generated", "candidate", "scores", "decision", "stage", "skipped", "detected", "queue")
"""Those of a turn that must come out the same; the others hold times."""
PICTURES, UNSEEN = 8, 3
"""Pictures with accepted masks; pictures that nobody has opened, for the last stage, besides one that all skipped."""
HELD_SHARE = 0.4
_NOTES = Path(__file__).parents[1] / ".cache" / "soak"


@dataclass(frozen=True, slots=True)
class Place:
    """An engine with accepted masks, ready for a turn; nothing runs."""

    folder: Path

    @property
    def engine_folder(self) -> Path:
        """The engine's."""
        return self.folder / "engine"

    @property
    def first_turn(self) -> Path:
        """The folder of the only turn."""
        return self.engine_folder / "turns" / "0001"

    def turn(self, **options: Any) -> subprocess.Popen[str]:
        """`anymask engine turn` as a process."""
        words = [sys.executable, "-m", "anymask", "engine", "turn", str(self.engine_folder), "--json"]
        own = environment(ANYMASK_CACHE=str(self.folder / "cache"))
        return subprocess.Popen(words, text=True, env=own, **options)

    def take_turn(self) -> float:
        """A turn to its end, in so many seconds."""
        begun = time.monotonic()
        with self.turn(stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            _, errors = process.communicate()
        assert process.returncode == 0, errors
        return time.monotonic() - begun

    def engine(self) -> Engine:
        """The same engine in this process."""
        config = json.loads((self.engine_folder / "engine.json").read_text())
        database = Database(config["database"])
        return Engine(
            self.engine_folder,
            EngineConfig(database=config["database"], store=config["store"], project=config["project"]),
            database,
            Blobs(config["store"]),
            self.folder / "cache" / "decoders",
        )

    def results(self) -> dict[str, Any]:
        """What the turn made: its steps, the masks made alone, and all that the database says of it."""
        made = {name: self.first_turn / f"{name}.json" for name in _STEPS}
        found = {name: json.loads(path.read_text()) for name, path in made.items() if path.exists()}
        shards = sorted((self.first_turn / "generated").glob("sa_*.tar"))
        found["shards"] = [hashlib.sha256(path.read_bytes()).hexdigest() for path in shards]
        engine = self.engine()
        found |= engine.database.read(lambda session: _rows(session, engine.project_id))
        engine.database.close()
        return found


def _rows(session: Session, project_id: int) -> dict[str, Any]:
    """Everything in the database that a turn may change, without the times."""
    listed: dict[str, Any] = {
        "deployments": select(DeploymentRow.model_sha256, DeploymentRow.kind, DeploymentRow.note),
        "models": select(ModelRow.sha256),
        "detectors": select(DetectorRow.sha256, DetectorRow.model_sha256, DetectorRow.confidence),
        "jobs": select(JobRow.kind, JobRow.subject, JobRow.state),
        "tasks": select(TaskRow.image_id, TaskRow.kind, TaskRow.state, TaskRow.priority),
        "masks": select(MaskRow.id, MaskRow.image_id, MaskRow.state, MaskRow.version, MaskRow.counts),
        "journal": select(JournalRow.kind, JournalRow.image_id),
        "turns": select(TurnRow.project_id, TurnRow.number),
    }
    found = {name: [tuple(row) for row in session.execute(query)] for name, query in listed.items()}
    # In the order they came, save what has none.
    for name in ("models", "masks", "tasks"):
        found[name].sort(key=str)
    return {**found, "stage now": stages.stage_of(session, project_id)}


def make_place(folder: Path, *, stage: str = ASSISTED, steps: int, least_gain: float = -1.0) -> Place:
    """A database with finished pictures, one that all skipped, others that nobody opened, and an engine in `stage`.

    Its gate lets everything pass unless more is asked.
    """
    (folder / "server").mkdir(parents=True)
    database = Database(f"sqlite:///{folder / 'server' / 'anymask.db'}")
    upgrade(database)
    world = World(database, Blobs(str(folder / "server" / "store")), Clock())
    for seed in range(PICTURES):
        add_labelled(world, seed)
    skipped = add_labelled(world, PICTURES, done=False)
    leave = update(TaskRow).where(TaskRow.image_id == skipped.id).values(state="skipped")
    database.write(lambda session: session.execute(leave))
    for seed in _unseen():
        add_labelled(world, seed, done=False, masked=False)
    database.write(lambda session: stages.set_stage(session, world.project.id, stage))
    # Only a model that is sure of itself makes masks alone.
    model = load(write_small_model(folder / "start.safetensors", is_sure=stage == AUTOMATIC))
    training = StageConfig(recipe="finetune_all", steps=steps)
    made = make_engine(
        world,
        model,
        folder / "engine",
        held_share=HELD_SHARE,
        assisted=training,
        semi_automatic=training,
        automatic=training,
        gate=GateConfig(least_gain=least_gain, guards=()),
        score=ScoreConfig(clicks=2),
        hardest=HardestConfig(pictures=2, grid=2),
        detector=DetectorConfig(steps=4, pictures=2, flip=False, held_share=0.4, checkpoint_every=1, seed=2),
        generate=AutomaticConfig(preset="default", points_per_side=8, pictures=UNSEEN),
    )
    (folder / "cache").mkdir()
    shutil.move(made.cache, folder / "cache" / "decoders")
    write_config(folder / "engine", made.config)
    database.close()
    return Place(folder)


def _unseen() -> list[int]:
    """Seeds of pictures that are not held back."""
    parts = {"train": 1 - HELD_SHARE, "held": HELD_SHARE}
    seed = EngineConfig(database="", store="", project="").split_seed
    later = range(PICTURES + 1, 100)
    return [one for one in later if part_of(f"shapes/{one:03d}", parts, seed) == "train"][:UNSEEN]


def copy_place(place: Place, folder: Path) -> Place:
    """The same as it was before any turn; whole, or not there."""
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(place.folder, part)
    config = part / "engine" / "engine.json"
    config.write_text(config.read_text().replace(str(place.folder), str(folder)))
    part.rename(folder)
    return Place(folder)


@dataclass(slots=True)
class _Progress:
    """How far the kills in one stage have come."""

    seconds: float = 0.0
    """Of a turn that nobody kills."""
    tries: int = 0
    reached: dict[str, int] = field(default_factory=dict)
    """Kills by the last step that was done."""
    compared: int = 0
    """Turns that were killed, came to their end and were compared."""

    @property
    def kills(self) -> int:
        return sum(self.reached.values())


def kill_turns(folder: Path, *, kills: Mapping[str, int], least_gain: Mapping[str, float] | None = None) -> str:
    """Turns of each stage, killed so many times in all, end as one that was not, and meanwhile the served model loads.

    What is done is noted in `folder`: called again, it goes on.
    """
    return "; ".join(
        kill_turns_of(folder / stage, stage, kills=count, least_gain=(least_gain or {}).get(stage, -1.0))
        for stage, count in kills.items()
    )


def kill_turns_of(folder: Path, stage: str, *, kills: int, least_gain: float = -1.0) -> str:
    """The same in one stage. A turn that came to its end is compared, and the next kill meets another from its
    beginning."""
    notes, pristine, calm = folder / "notes.json", Place(folder / "pristine"), Place(folder / "calm")
    if not notes.exists():
        shutil.rmtree(folder, ignore_errors=True)
        make_place(pristine.folder, stage=stage, steps=6, least_gain=least_gain)
        copy_place(pristine, calm.folder)
        progress = _Progress(seconds=calm.take_turn())
        _keep(notes, progress)
    progress = _Progress(**json.loads(notes.read_text()))
    _check_calm(calm, stage, promoted=least_gain < 0)
    wild = Place(folder / "wild")
    shutil.rmtree(wild.folder, ignore_errors=True)
    while progress.kills < kills:
        fresh = not wild.folder.exists()
        if fresh:
            copy_place(pristine, wild.folder)
        rng = random.Random(f"101 {stage} {progress.tries}")
        progress.tries += 1
        begun = time.monotonic()
        was_killed = _kill(wild, rng, progress.seconds)
        if (wild.first_turn / f"{END}.json").exists():
            # It came to its end before; one that nobody has stopped until then says how long a turn takes now.
            progress.seconds = time.monotonic() - begun if fresh and not was_killed else progress.seconds
            _compare(wild, calm, progress)
        else:
            assert was_killed
            step = _check_whole(wild)
            progress.reached[step] = progress.reached.get(step, 0) + 1
        _keep(notes, progress)
    if wild.folder.exists():
        wild.take_turn()
        _compare(wild, calm, progress)
        _keep(notes, progress)
    seen = ", ".join(f"{count} with {step} done" for step, count in progress.reached.items())
    return (
        f"{stage.replace('_', ' ')}: {progress.kills} kills of turns of {progress.seconds:.0f} s ({seen}), "
        f"{progress.compared} turns ended the same"
    )


def _keep(notes: Path, progress: _Progress) -> None:
    part = notes.with_suffix(".part")
    part.write_text(json.dumps(asdict(progress)))
    part.replace(notes)


def _kill(wild: Place, rng: random.Random, seconds: float) -> bool:
    """SIGKILL at a random moment of the turn, of it alone or of all its processes; False when it had ended by then."""
    with wild.turn(stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        with suppress(subprocess.TimeoutExpired):
            _, errors = process.communicate(timeout=rng.uniform(0.1, 0.95) * seconds)
            assert process.returncode == 0, errors
            return False
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        for child in family if rng.random() < 0.5 else ():
            with suppress(psutil.NoSuchProcess):
                child.kill()
    return True


def _compare(wild: Place, calm: Place, progress: _Progress) -> None:
    """Everything is as in the turn that nobody killed; the place is removed."""
    found, due = wild.results(), calm.results()
    assert found.keys() == due.keys()
    for name, value in due.items():
        assert found[name] == value, f"{name}: {found[name]}, without a kill {value}"
    _check_whole(wild)
    progress.compared += 1
    shutil.rmtree(wild.folder)


def _check_calm(calm: Place, stage: str, *, promoted: bool) -> None:
    """The turn did what turns of this stage do, so that there is something to lose."""
    made = calm.results()
    kinds = [kind for _, kind, _ in made["deployments"]]
    assert kinds == (["start", "promote"] if promoted else ["start"])
    assert made["deployments"][-1][0] == made["candidate"]["sha256"] or not promoted
    assert made["queue"]["returned"] == len(made["skipped"]["tasks"]) == int(promoted)
    assert made["queue"]["pictures"] == 2
    assert made["turns"] == [(1, 1)]
    assert (len(made["detectors"]), "detected" in made) == ((1, True) if stage == SEMI_AUTOMATIC else (0, False))
    if stage == AUTOMATIC:
        assert made["generated"]["masks"] > 0
        assert made["shards"]


def _check_whole(place: Place) -> str:
    """The served model loads, its decoder is there, every mask too; the last step that is done."""
    engine = place.engine()
    sha256 = engine.current_model()
    assert model_hash(engine.model(sha256)) == sha256
    deployed = deployment.describe(engine.database, engine.blobs, sha256)
    assert len(engine.blobs.read(deployed.decoder_key)) == deployed.decoder_bytes
    masks = engine.database.read(lambda session: session.query(MaskRow).count())
    assert masks == 2 * (PICTURES + 1)
    engine.database.close()
    steps = [path for path in place.first_turn.glob("*.json") if path.stem != CONFIG_OF_TURN]
    done = sorted(steps, key=lambda path: path.stat().st_mtime)
    return done[-1].stem if done else "nothing"


def run_two_at_once(folder: Path) -> str:
    """A second turn is refused while the first goes on, and the first is none the worse."""
    place = make_place(folder / "two", steps=4, least_gain=1.0)  # a decoder takes long to write
    with place.turn(stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        plan, until = place.first_turn / "plan.json", time.monotonic() + 120
        while not plan.exists() and time.monotonic() < until:
            time.sleep(0.05)
        with place.turn(stdout=subprocess.PIPE, stderr=subprocess.PIPE) as second:
            said, _ = second.communicate()
            assert (second.returncode, "another process turns" in said) == (5, True), said
        first.communicate()
        assert first.returncode == 0
    return "a second turn was refused, the first ended well"


def full_size(kills: Mapping[str, int]) -> bool:
    """Row 101 at its full size; stopped, it goes on where it was."""
    with tempfile.TemporaryDirectory() as folder:
        print(run_two_at_once(Path(folder)), flush=True)
    place = _NOTES / "row-101"
    for stage, count in kills.items():
        print(kill_turns(place, kills={stage: count}), flush=True)
    shutil.rmtree(place)
    return True
