"""Stage 3, the model alone: pictures in, a dataset of all their masks out, by any number of workers, at any size.

    list and hash every picture  ->  manifest.jsonl       once; the work is then fixed
    pieces of a few pictures     ->  work/pieces/*.tar     by workers, in any order, each written once
    pieces of a shard            ->  sa_NNNNNN.tar         as soon as its last piece is there
    all shards                   ->  dataset.json, README.md, report.json

Whatever is killed at whatever point, the same command goes on, and the shards end up byte for byte the same, with
another number of workers or another engine too.
"""

from __future__ import annotations

import json
import shutil
import statistics
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import filelock

from anymask.data_engine.generation.assemble import Assembly
from anymask.data_engine.generation.cluster import run_ray
from anymask.data_engine.generation.config import GenerateConfig
from anymask.data_engine.generation.crew import Job, run_local
from anymask.data_engine.generation.manifest import (
    DUPLICATE,
    FILE,
    Manifest,
    Piece,
    check_same,
    open_manifest,
    write_manifest,
)
from anymask.data_engine.generation.pieces import Outcome, PieceFacts, load_predictor
from anymask.data_engine.generation.pipeline import STAGES
from anymask.dataset.card import CARD, DatasetCard, ShardFacts, Tally, read_card, write_card
from anymask.dataset.shards import remove_leftovers
from anymask.errors import ConfigError, DatasetError, RunError
from anymask.model.weights import model_hash
from anymask.runs import machine, to_plain, versions, write_atomically

REPORT = "report.json"
_TIMES = "times.jsonl"
NOT_BLURRED = "faces and licence plates were not looked for; `anymask dataset release` does that before others see it"


@dataclass(frozen=True, kw_only=True, slots=True)
class CrewConfig:
    """Who does the work. Nothing of it changes the bytes."""

    workers: int = 1
    """Processes or, with Ray, actors."""
    engine: Literal["local", "ray"] = "local"
    """Processes of this machine, or a Ray cluster."""
    ray_address: str | None = None
    """Cluster to join, "auto" for the one of this machine; None starts one here for the run."""

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ConfigError(f"CrewConfig.workers is {self.workers}, expected 1 or more")
        if self.ray_address is not None and self.engine != "ray":
            raise ConfigError("CrewConfig.ray_address belongs to the engine ray; choose it")


def _nothing(*_: Any) -> None:
    """A hook that nobody wants."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerateHooks:
    """What a run tells while it goes on, and asks."""

    hashed: Callable[[int], None] = _nothing
    """Pictures listed and hashed so far."""
    progress: Callable[[int, int], None] = _nothing
    """Pictures done, and in all."""
    tell: Callable[[str], None] = _nothing
    """A sentence that a person should see now."""
    should_stop: Callable[[], bool] = field(default=lambda: False)
    """Asked twice a second: whether to end here and go on another time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerateReport:
    """How a run went."""

    finished: bool
    card: DatasetCard | None
    """None while it is not finished."""
    report: dict[str, Any]
    """What report.json says; empty while it is not finished."""

    @property
    def failed(self) -> dict[str, str]:
        """Name -> reason of the pictures set aside, doubles not counted."""
        left_out = self.card.left_out if self.card else ()
        return {name: why for name, why in left_out if not why.startswith(DUPLICATE)}


def generate(
    sources: Sequence[str],
    out: Path,
    config: GenerateConfig,
    crew: CrewConfig | None = None,
    *,
    only: Sequence[str] = (),
    hooks: GenerateHooks | None = None,
) -> GenerateReport:
    """Make the dataset in `out`, or go on making it; a finished one is only reported.

    `sources` are folders, patterns, tar shards and URLs of fsspec; `only` are patterns of names.

    Raises: DatasetError for sources or folders that cannot be used; RunError when the folder holds another run, another
    process works on it, or workers die without end; WeightsError.
    """
    crew, hooks = crew or CrewConfig(), hooks or GenerateHooks()
    work = _work_folder(out)
    lock = filelock.FileLock(work / "lock", timeout=0)
    try:
        with lock:
            return _generate(sources, out, work, config, crew, only, hooks)
    except filelock.Timeout as error:
        raise RunError(f"another process works on {out}; wait for it, or end it, and give the command again") from error


def _generate(
    sources: Sequence[str],
    out: Path,
    work: Path,
    config: GenerateConfig,
    crew: CrewConfig,
    only: Sequence[str],
    hooks: GenerateHooks,
) -> GenerateReport:
    if not config.model_sha256:
        config = replace(config, model_sha256=model_hash(load_predictor(config, "cpu").model))
    manifest = _manifest(work / FILE, config, sources, only, hooks)
    card = read_card(out)
    if card is not None:
        return GenerateReport(finished=True, card=card, report=_read_report(out))
    session = _Session(work, crew, time.perf_counter())
    for folder in (out, work / "pieces"):
        remove_leftovers(folder)
    assembly = Assembly(out, work, manifest)
    assembly.join_ready()
    done = assembly.pictures_done()
    hooks.progress(done, manifest.pictures)

    def made(piece: Piece, facts: PieceFacts) -> None:
        nonlocal done
        session.note(facts)
        assembly.made(piece)
        done += piece.pictures
        hooks.progress(done, manifest.pictures)

    pieces = assembly.pieces_due()
    job = Job(work=work, session=uuid.uuid4().hex, device=config.device, threads=config.threads)
    if pieces and crew.engine == "ray":
        run_ray(job, pieces, crew.workers, made, hooks.should_stop, crew.ray_address)
    elif pieces:
        run_local(job, pieces, crew.workers, made, hooks.tell, hooks.should_stop)
    if assembly.pieces_due():
        return GenerateReport(finished=False, card=None, report={})
    return _finish(out, manifest, assembly, session)


def _work_folder(out: Path) -> Path:
    """OUT/work with its folders.

    Raises: DatasetError when there is something else in OUT, or it cannot be made.
    """
    work = out / "work"
    try:
        if out.is_dir() and not work.is_dir() and any(out.iterdir()):
            raise DatasetError(f"{out} is not empty and holds no run of generate; name a new folder")
        for folder in (work / "pieces", work / "attempts", work / "shards"):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"the folder {out} cannot be made ({error.strerror}); name another") from error
    return work


def _manifest(
    path: Path, config: GenerateConfig, sources: Sequence[str], only: Sequence[str], hooks: GenerateHooks
) -> Manifest:
    if not path.exists():
        write_manifest(path, config, sources, only, hooks.hashed)
    manifest = open_manifest(path)
    check_same(manifest, config, sources, only)
    return manifest


class _Session:
    """Times of this start of the run, added to those of earlier ones on disk."""

    def __init__(self, work: Path, crew: CrewConfig, start: float) -> None:
        self.path, self.crew, self.start = work / _TIMES, crew, start
        self.pictures = 0

    def note(self, facts: PieceFacts) -> None:
        """Keep the times of one piece."""
        self.pictures += facts.pictures
        with self.path.open("a") as stream:
            stream.write(json.dumps(to_plain(facts)) + "\n")

    def throughput(self) -> dict[str, Any]:
        """Rates: of this start by the clock, of all starts by the workers' own time."""
        wall_s = time.perf_counter() - self.start
        busy, cpu_s, pictures, seconds = 0.0, 0.0, 0, dict.fromkeys(STAGES, 0.0)
        for line in self.path.read_text().splitlines() if self.path.exists() else ():
            try:
                plain = json.loads(line)
            except ValueError:
                continue  # the line that a kill cut
            busy += plain["wall_s"]
            cpu_s += plain["cpu_s"]
            pictures += plain["pictures"]
            for stage, spent in plain["seconds"].items():
                seconds[stage] += spent
        return {
            "engine": self.crew.engine,
            "workers": self.crew.workers,
            "this_start": {
                "pictures": self.pictures,
                "wall_s": round(wall_s, 2),
                "pictures_a_minute": round(60 * self.pictures / wall_s, 2) if wall_s else 0.0,
            },
            "pictures_a_worker_minute": round(60 * pictures / busy, 2) if busy else 0.0,
            "cpu_seconds_a_picture": round(cpu_s / max(1, pictures), 4),
            "seconds_a_picture": {stage: round(spent / max(1, pictures), 4) for stage, spent in seconds.items()},
        }


def _finish(out: Path, manifest: Manifest, assembly: Assembly, session: _Session) -> GenerateReport:
    total = Outcome()
    shards: list[ShardFacts] = []
    for shard in assembly.finished():
        shards.append(shard.facts)
        total.add(shard.outcome)
    config = manifest.config
    tally = Tally()
    tally.licences[config.licence] = tally.blurred[""] = len(total.pictures)
    tally.made[config.provenance()] = sum(total.pictures.values())
    card = tally.card(config.name, shards, total.left_out, (NOT_BLURRED,))
    masks = sorted(total.pictures.values())
    report = {
        "pictures": card.pictures,
        "masks": card.masks,
        "masks_a_picture": {
            "mean": round(statistics.fmean(masks), 2),
            "median": statistics.median(masks),
            "least": masks[0],
            "most": masks[-1],
        }
        if masks
        else {},
        "answers_rejected_by": dict(sorted(total.rejects.items())),
        "left_out": dict(sorted(total.left_out.items())),
        "content_sha256": card.content_sha256(),
        "throughput": session.throughput(),
        "machine": machine(),
        "versions": versions(),
    }
    try:
        write_atomically(out / REPORT, (json.dumps(report, indent=1) + "\n").encode())
    except OSError as error:
        raise DatasetError(f"{out} cannot be written ({error.strerror}); make room and run again") from error
    write_card(out, card)
    shutil.rmtree(assembly.work / "pieces")
    shutil.rmtree(assembly.work / "attempts")
    return GenerateReport(finished=True, card=card, report=report)


def _read_report(out: Path) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = json.loads((out / REPORT).read_bytes())
    except (OSError, ValueError) as error:
        raise RunError(f"{out / REPORT} cannot be read ({error}); remove {out / CARD} and run again") from error
    return plain
