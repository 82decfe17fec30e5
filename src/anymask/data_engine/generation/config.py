"""What decides the bytes that a run of bulk generation writes, and nothing else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Literal

from anymask.dataset.provenance import UNKNOWN, Provenance
from anymask.errors import ConfigError
from anymask.predict.automatic import AutomaticConfig
from anymask.runs import to_plain

DtypeName = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerateConfig:
    """How masks are made and stored. How many work on it, and where, is not part of it: the bytes are the same."""

    model: str = "tiny"
    """Name or path of the weights."""
    model_sha256: str = ""
    """Of their values (`weights.model_hash`); a worker that loads others stops."""
    preset: str = "default"
    """Settings of everything-mode."""
    points_per_side: int | None = None
    """Side of its grid of clicks; the preset's when None."""
    points_per_batch: int = 64
    """Clicks decoded together. Part of the settings, since sums of another size may round differently."""
    device: str = "cpu"
    """Where the model computes: cpu, cuda, mps. With "cuda" each worker takes one of the GPUs in turn."""
    dtype: DtypeName = "float32"
    """Arithmetic of the model."""
    threads: int = 1
    """Threads of the model in one worker. Part of the settings, since sums split otherwise round differently."""
    max_pixels: int = 200_000_000
    """Larger pictures are set aside before they are decoded."""
    pictures_per_shard: int = 1000
    """Pictures given to each shard but the last; those set aside leave a gap."""
    pictures_per_piece: int = 16
    """Pictures that one worker does before it takes more: what a kill may cost."""
    first_number: int = 1
    """Number of the first picture: sa_1."""
    name: str = "dataset"
    """Title of the dataset's card."""
    licence: str = UNKNOWN
    """Terms of the pictures, written beside each."""

    def __post_init__(self) -> None:
        for name in ("threads", "points_per_batch", "pictures_per_shard", "pictures_per_piece", "max_pixels"):
            if getattr(self, name) < 1:
                raise ConfigError(f"GenerateConfig.{name} is {getattr(self, name)}, expected 1 or more")
        if self.first_number < 0:
            raise ConfigError(f"GenerateConfig.first_number is {self.first_number}, expected 0 or more")
        self.automatic()

    def automatic(self) -> AutomaticConfig:
        """The settings of everything-mode.

        Raises: ConfigError for an unknown preset or a grid of no clicks.
        """
        preset = AutomaticConfig.named(self.preset)
        side = preset.points_per_side if self.points_per_side is None else self.points_per_side
        return replace(preset, points_per_side=side, points_per_batch=self.points_per_batch)

    def sha256(self) -> str:
        """Of everything that the masks of a picture depend on."""
        plain = {key: value for key, value in to_plain(self).items() if key not in ("model", "name", "licence")}
        for key in ("pictures_per_shard", "pictures_per_piece", "first_number"):
            del plain[key]
        plain["automatic"] = to_plain(self.automatic())
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()

    def provenance(self) -> Provenance:
        """How every mask of the run is made."""
        return Provenance(
            stage="automatic",
            model=self.model.rsplit("/", 1)[-1],
            model_sha256=self.model_sha256,
            settings_sha256=self.sha256(),
            software=f"anymask {version('anymask')}",
        )
