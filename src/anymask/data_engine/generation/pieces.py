"""One piece made by one worker: its pictures through the pipeline into a small tar, there whole or not at all."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from anymask.data_engine.generation.attempts import MAX_TRIES, Attempt, AttemptFile
from anymask.data_engine.generation.config import GenerateConfig
from anymask.data_engine.generation.manifest import Item, Manifest, Piece
from anymask.data_engine.generation.pipeline import Pipeline
from anymask.data_engine.generation.places import Sources
from anymask.dataset.entries import ReadLimits
from anymask.dataset.members import read_members
from anymask.dataset.shards import add_member, new_shard
from anymask.errors import RunError, WeightsError
from anymask.model.weights import load, model_hash
from anymask.predict.predictor import Predictor

OUTCOME = "outcome.json"
"""Last member of a piece: what came of its pictures."""
POISON = f"each of {MAX_TRIES} workers that were alone with it died"


@dataclass(slots=True)
class Outcome:
    """What came of some pictures; the same for the same pictures, so without times."""

    pictures: dict[int, int] = field(default_factory=dict)
    """Number -> masks, of the pictures that are in."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Name -> reason, of those set aside."""
    rejects: Counter[str] = field(default_factory=Counter)
    """Answers of the model that each filter took."""

    def add(self, other: Outcome) -> None:
        """Count what `other` counted too."""
        self.pictures |= other.pictures
        self.left_out |= other.left_out
        self.rejects.update(other.rejects)

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "pictures": list(self.pictures.items()),
            "left_out": self.left_out,
            "rejects": dict(sorted(self.rejects.items())),
        }

    @staticmethod
    def from_plain(plain: dict[str, Any]) -> Outcome:
        """From `to_plain`'s values."""
        return Outcome(dict(plain["pictures"]), dict(plain["left_out"]), Counter(plain["rejects"]))


@dataclass(frozen=True, slots=True)
class PieceFacts:
    """What a worker tells of a piece it made; times differ from run to run."""

    piece: str
    pictures: int
    """Given, those set aside included."""
    wall_s: float
    cpu_s: float
    """Of all threads of the worker: what it would have taken on a machine with nothing else to do, about."""
    seconds: dict[str, float]
    """Stage -> seconds."""


class PieceMaker:
    """A worker's model and pipeline, ready for any piece of a manifest.

    Raises: WeightsError when the weights are others than those the run was begun with.
    """

    def __init__(self, work: Path, manifest: Manifest, *, device: str) -> None:
        config = manifest.config
        self.work, self.manifest = work, manifest
        self._pipeline = Pipeline(load_predictor(config, device), config, Sources(manifest.sources))

    def make(self, piece: Piece, session: str) -> PieceFacts:
        """Write the piece, unless it is there.

        Raises: DatasetError when the disk is full or cannot be written.
        """
        path = piece_path(self.work, piece)
        start, cpu_start = time.perf_counter(), time.process_time()
        before = dict(self._pipeline.clock.seconds)
        if not path.exists():
            file = AttemptFile(attempts_folder(self.work), piece.name)
            attempt = file.begin(session)
            self._write(path, self.manifest.items(piece), attempt, lambda number: file.name(attempt, number))
            file.end()
        seconds = {stage: spent - before[stage] for stage, spent in self._pipeline.clock.seconds.items()}
        wall_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu_start
        return PieceFacts(piece.name, piece.pictures, wall_s, cpu_s, seconds)

    def _write(self, path: Path, items: list[Item], attempt: Attempt, name: Callable[[int], None]) -> None:
        poison = attempt.poison()
        items = [replace(item, problem=POISON) if item.number in poison else item for item in items]
        outcome = Outcome()
        done = self._pipeline.run(items, overlap=not attempt.is_careful, begin=lambda item: name(item.number))
        with new_shard(path) as shard:
            for one in done:
                if one.problem:
                    outcome.left_out[one.item.place.name] = one.problem
                    continue
                for member, data in one.members:
                    add_member(shard, member, data)
                outcome.pictures[one.item.number] = one.masks
                outcome.rejects.update(one.rejects)
            assert len(outcome.pictures) + len(outcome.left_out) == len(items)
            add_member(shard, OUTCOME, json.dumps(outcome.to_plain()).encode())


def load_predictor(config: GenerateConfig, device: str) -> Predictor:
    """The model of a run, checked to be the one it was begun with.

    Raises: WeightsError.
    """
    import torch

    model = load(config.model, device=device, dtype=getattr(torch, config.dtype))
    found = model_hash(model)
    if config.model_sha256 and found != config.model_sha256:
        raise WeightsError(
            f"the weights {config.model} are {found[:12]}, the run was begun with {config.model_sha256[:12]}; put "
            "those back, or begin again in a new folder"
        )
    return Predictor(model)


def read_piece(path: Path) -> tuple[list[tuple[str, bytes]], Outcome]:
    """The members of a finished piece, and its outcome.

    Raises: RunError when it is damaged.
    """
    members = []
    try:
        with path.open("rb") as stream:
            for name, span in read_members(path, ReadLimits(max_member_bytes=2**31), stream):
                members.append((name, span))
            found = [(name, _read_at(stream, span.offset, span.size)) for name, span in members]
        last, data = found.pop()
        assert last == OUTCOME
        return found, Outcome.from_plain(json.loads(data))
    except (OSError, ValueError, KeyError, IndexError, AssertionError) as error:
        raise RunError(f"{path} is damaged ({error}); remove it and run again") from error


def _read_at(stream: Any, offset: int, size: int) -> bytes:
    stream.seek(offset)
    return bytes(stream.read(size))


def piece_path(work: Path, piece: Piece) -> Path:
    """Where a finished piece lies."""
    return work / "pieces" / f"{piece.name}.tar"


def attempts_folder(work: Path) -> Path:
    """Where the files of pieces that are being made lie."""
    return work / "attempts"
