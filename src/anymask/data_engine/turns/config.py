"""How an engine turns: where its server is, what it learns from and by, what it is scored on, when a stage ends."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from anymask.data_engine.promote import GateConfig
from anymask.errors import ConfigError, RunError
from anymask.predict.object_boxes import ProposalConfig
from anymask.runs import from_plain, to_plain, write_atomically
from anymask.training.detector_config import DetectorConfig

ASSISTED, SEMI_AUTOMATIC, AUTOMATIC = "assisted", "semi_automatic", "automatic"
STAGES = (ASSISTED, SEMI_AUTOMATIC, AUTOMATIC)
"""In order; the last one stays."""
CONFIG = "engine.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class StageTarget:
    """When a stage has done its work: all that is stated here holds at the end of a turn."""

    masks: int | None = None
    """Masks accepted in this stage."""
    seconds_a_mask: float | None = None
    """Median time of a mask in this stage, at or below."""
    masks_a_picture: float | None = None
    """Mean masks of the pictures finished in this stage, at or above."""
    turns: int | None = None
    """Turns taken in this stage."""

    @property
    def is_open(self) -> bool:
        """Whether nothing is stated: the stage then never ends by itself."""
        return (self.masks, self.seconds_a_mask, self.masks_a_picture, self.turns) == (None, None, None, None)


@dataclass(frozen=True, kw_only=True, slots=True)
class StageConfig:
    """One stage."""

    recipe: str = "finetune_all"
    """Name of the training recipe, as `anymask train --recipe` takes it."""
    steps: int | None = None
    """Optimiser steps of each training; None for the recipe's."""
    lr: float | None = None
    """Learning rate; None for the recipe's."""
    new_masks: int = 500
    """`anymask engine run` begins a turn when so many masks were accepted since the last one."""
    until: StageTarget = field(default_factory=StageTarget)
    """When the next stage begins."""

    def __post_init__(self) -> None:
        if self.new_masks < 1 or (self.steps is not None and self.steps < 1):
            raise ConfigError("StageConfig.new_masks and steps must be at least 1")
        if self.lr is not None and not self.lr > 0:
            raise ConfigError(f"StageConfig.lr must be above 0, got {self.lr}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreConfig:
    """What models are scored on, before they may be promoted."""

    benchmark: tuple[str, ...] = ()
    """Held-out labelled data that decide: tar shards or folders, in no training. Without any, the part of the
    project's own pictures that is held back decides."""
    also: tuple[str, ...] = ()
    """More labelled data, scored and shown only."""
    max_pictures: int | None = 60
    """Most pictures of each set, a fixed draw; None for all."""
    clicks: int = 9
    """Clicks on each mask."""
    until_iou: float = 0.85
    """Clicks a mask are counted up to this IoU."""
    workers: int = 1
    """Processes that score."""

    def __post_init__(self) -> None:
        if self.clicks < 1 or self.workers < 1 or (self.max_pictures is not None and self.max_pictures < 1):
            raise ConfigError("ScoreConfig.clicks, workers and max_pictures must be at least 1")
        if not 0 < self.until_iou <= 1:
            raise ConfigError(f"ScoreConfig.until_iou must be in (0, 1], got {self.until_iou}")


@dataclass(frozen=True, kw_only=True, slots=True)
class HardestConfig:
    """How the queue is put in order after each turn."""

    pictures: int = 200
    """Most waiting pictures that the model is asked about; 0 leaves the queue as it is."""
    grid: int = 8
    """Points a side of the grid of clicks on each."""

    def __post_init__(self) -> None:
        if self.pictures < 0 or self.grid < 1:
            raise ConfigError("HardestConfig.pictures must not be negative, and grid at least 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class AutomaticConfig:
    """What the last stage makes by itself in a turn, by `anymask generate`."""

    preset: Literal["default", "paper", "tiny"] = "paper"
    """Settings of everything-mode."""
    pictures: int = 100
    """Most pictures of the project that are given to it in a turn; those that nobody annotated."""
    points_per_side: int | None = None
    """Side of the grid of clicks; None for the preset's."""
    workers: int = 1
    """Processes, or actors of Ray."""
    engine: Literal["local", "ray"] = "local"
    """Processes of this machine, or a Ray cluster."""
    ray_address: str | None = None
    """Cluster to join; None starts one here for the run."""

    def __post_init__(self) -> None:
        if self.pictures < 1 or self.workers < 1:
            raise ConfigError("AutomaticConfig.pictures and workers must be at least 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineConfig:
    """One engine, on one project of one server."""

    database: str
    """The server's database, as `anymask serve --database` takes it, without the password."""
    store: str
    """The server's store, a folder or an address."""
    project: str
    """Name of the project whose masks it learns from."""
    learn_from: Literal["all", "new"] = "all"
    """All masks that were accepted so far, or those since the turn before alone."""
    mix: tuple[str, ...] = ()
    """Other labelled data to train on beside them: tar shards or folders."""
    mix_share: float = 0.5
    """Share of the training samples that come from `mix`, when there is any."""
    held_share: float = 0.1
    """Share of the project's pictures, by a hash of their names, that are never trained on."""
    split_seed: int = 1
    """Of that hash. Take another one than the data were cut with before: pictures chosen by a hash below some number
    are all on one side of a second cut by the same hash."""
    assisted: StageConfig = field(default_factory=StageConfig)
    """Stage 1: people, with the model's help."""
    semi_automatic: StageConfig = field(default_factory=StageConfig)
    """Stage 2: a detector and the model first, people add the rest."""
    automatic: StageConfig = field(default_factory=StageConfig)
    """Stage 3: the model alone."""
    score: ScoreConfig = field(default_factory=ScoreConfig)
    """What models are scored on."""
    gate: GateConfig = field(default_factory=GateConfig)
    """When a model is promoted."""
    hardest: HardestConfig = field(default_factory=HardestConfig)
    """What people get first."""
    generate: AutomaticConfig = field(default_factory=AutomaticConfig)
    """What the last stage makes."""
    detector: DetectorConfig = field(default_factory=lambda: DetectorConfig(seed=2))
    """How the detector of stage 2 is trained. Its seed cuts once more, so it is another one too."""
    proposals: ProposalConfig = field(default_factory=ProposalConfig)
    """Which of its masks are shown."""
    processes: int = 1
    """Training processes on this machine (torchrun starts them when more than 1)."""
    launcher: tuple[str, ...] = ()
    """Words before `train ...` that start it elsewhere, such as torchrun's for several machines; () for here."""
    device: str = "cpu"
    """Where training computes."""

    def __post_init__(self) -> None:
        if not 0 < self.held_share < 1 or not 0 < self.mix_share < 1:
            raise ConfigError("EngineConfig.held_share and mix_share must be between 0 and 1")
        if self.processes < 1:
            raise ConfigError(f"EngineConfig.processes must be at least 1, got {self.processes}")
        most = self.score.clicks
        for name in (self.gate.measure, *self.gate.guards):
            if name.startswith("clicks_") and not 1 <= int(name.removeprefix("clicks_")) <= most:
                raise ConfigError(
                    f"EngineConfig.gate asks for {name}, but score.clicks is {most}; raise score.clicks, or state "
                    "gate.measure and gate.guards without it"
                )

    def stage(self, name: str) -> StageConfig:
        """The stage of this name."""
        return {ASSISTED: self.assisted, SEMI_AUTOMATIC: self.semi_automatic, AUTOMATIC: self.automatic}[name]


def read_config(folder: Path) -> EngineConfig:
    """The configuration of the engine in `folder`.

    Raises: RunError when there is none, ConfigError for values that cannot be.
    """
    path = folder / CONFIG
    try:
        plain = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RunError(f"{folder} holds no engine ({error}); make one with `anymask engine init {folder}`") from error
    return from_plain(EngineConfig, plain)


def refuse_existing(folder: Path) -> None:
    """Raises RunError when there is an engine in `folder`."""
    if (folder / CONFIG).exists():
        raise RunError(f"{folder} holds an engine already; change its {CONFIG}, or name a new folder")


def write_config(folder: Path, config: EngineConfig) -> None:
    """Begin an engine in `folder`.

    Raises: RunError when there is one already, or the folder cannot be made.
    """
    refuse_existing(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / CONFIG, json.dumps(to_plain(config), indent=1).encode())
    except OSError as error:
        raise RunError(f"{folder} cannot be written ({error.strerror}); name another") from error
