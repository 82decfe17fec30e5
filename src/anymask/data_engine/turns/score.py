"""Scores of a model on what nobody trains on: the same clicks and boxes for every model, kept by model and picture."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from anymask.data_engine.turns.config import ScoreConfig
from anymask.evaluation.clicks_needed import mean_clicks
from anymask.evaluation.protocols import points
from anymask.evaluation.protocols.points import PointsConfig
from anymask.evaluation.results import PictureResult, curve_measure, samples
from anymask.evaluation.segmenter import ModelSegmenter
from anymask.model.sam import Sam
from anymask.model.weights import model_hash
from anymask.predict.predictor import Predictor

BENCHMARK, HELD, ALSO = "benchmark", "held", "also"
"""What decides, the project's own pictures that are held back, and what is shown only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelScores:
    """One model on one kind of data."""

    model_sha256: str
    data: str
    """BENCHMARK, HELD or ALSO."""
    pictures: int
    masks: int
    means: dict[str, float]
    """Mean over sets of the mean IoU, by measure; `measure/SET` for each set."""
    clicks_a_mask: float | None
    """Mean clicks until the IoU that is asked for."""


def score(
    model: Sam,
    data: Sequence[str],
    config: ScoreConfig,
    out: Path,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[PictureResult, ...]:
    """Every picture's results; what was scored before by the same settings is read from a folder in `out`.

    Raises: DatasetError for data that cannot be read, RunError as `points.run`.
    """
    name = model_hash(model)[:16]
    segmenter = ModelSegmenter(Predictor(model), name=name)
    asked = _asked(config)
    found = points.run(
        asked,
        [Path(one) for one in data],
        [segmenter],
        out=out / _settings_name(asked, segmenter),
        progress=progress,
        workers=config.workers,
    )
    return found.columns[name]


def _asked(config: ScoreConfig) -> PointsConfig:
    """The points experiment at its usual numbers of clicks, up to the last that is asked for."""
    usual = PointsConfig(max_pictures=config.max_pictures)
    return replace(usual, clicks=(*(count for count in usual.clicks if count < config.clicks), config.clicks))


def _settings_name(asked: PointsConfig, segmenter: ModelSegmenter) -> str:
    """A folder's name that changes with all that scores depend on beside the picture."""
    rest = hashlib.sha256(points.settings(asked, segmenter).encode()).hexdigest()
    return f"{asked.clicks[-1]}_clicks_{rest[:8]}"


def summarise(results: Sequence[PictureResult], model_sha256: str, data: str, config: ScoreConfig) -> ModelScores:
    """The results in a few numbers."""
    measures = ["click", "click_oracle", "box", *(curve_measure(count) for count in _asked(config).clicks if count > 1)]
    means: dict[str, float] = {}
    for measure in measures:
        per_set = {name: float(sample.values.mean()) for name, sample in samples(results, measure).items()}
        if per_set:
            means[measure] = float(np.mean(list(per_set.values())))
            means |= {f"{measure}/{name}": value for name, value in per_set.items()}
    return ModelScores(
        model_sha256=model_sha256,
        data=data,
        pictures=sum(bool(result.targets) for result in results),
        masks=sum(len(result.targets) for result in results),
        means=means,
        clicks_a_mask=mean_clicks(results, config.until_iou),
    )
