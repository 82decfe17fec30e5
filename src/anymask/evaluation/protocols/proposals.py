"""Object proposals: which share of the annotated masks is among the best 10, 100, 1,000 proposals of each picture?

Categories are not looked at. Sizes are COCO's. On LVIS, recall is also measured against the rare, the common and the
frequent categories alone. What LVIS did not look for cannot be counted against anyone: recall knows no wrong answer.

Source: SAM (arXiv 2304.02643) section 7.3 and appendix D.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from anymask.dataset.formats.coco import OBJECT
from anymask.dataset.formats.lvis import Frequency
from anymask.errors import ConfigError
from anymask.evaluation.answering import Answered, Answerer, AnsweringConfig, PictureScore, Progress, answer_all
from anymask.evaluation.average import overall_recall
from anymask.evaluation.matching import SIZES, Division, MatchConfig, PictureAnswers, PictureTruth
from anymask.evaluation.metrics import BootstrapConfig
from anymask.evaluation.pictures import LabelledPicture, LabelledPictures
from anymask.evaluation.scores import Score
from anymask.images.load import LoadedImage
from anymask.predict.predictor import Predictor
from anymask.predict.tasks.proposals import ProposalConfig, propose

FREQUENCY_NAMES: dict[Frequency, str] = {"f": "frequent", "c": "common", "r": "rare"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ProposalsConfig:
    """The experiment's settings."""

    limits: tuple[int, ...] = (10, 100, 1000)
    """Recall among this many best proposals of a picture; rising. Sizes and frequencies are told at the last."""
    max_pictures: int | None = None
    """Most pictures of each set, a fixed draw; all when None."""
    bootstrap: BootstrapConfig = field(default_factory=BootstrapConfig)
    """Error bars."""

    def __post_init__(self) -> None:
        if not self.limits or self.limits[0] < 1 or list(self.limits) != sorted(set(self.limits)):
            raise ConfigError(f"ProposalsConfig.limits must rise from 1 or more, got {self.limits}")

    def answering(self, frequencies: dict[int, Frequency]) -> AnsweringConfig:
        """How answers are matched, on data whose categories have these frequencies."""
        by_frequency = [
            Division(name=name, categories=frozenset(key for key, value in frequencies.items() if value == frequency))
            for frequency, name in FREQUENCY_NAMES.items()
            if frequencies
        ]
        matching = MatchConfig(divisions=(*SIZES, *by_frequency), per_category=False, max_answers=self.limits[-1])
        return AnsweringConfig(matching=matching, max_pictures=self.max_pictures, for_recall_only=True)


@dataclass(slots=True)
class ModelProposer:
    """A promptable model as a column."""

    predictor: Predictor
    name: str = "model"
    config: ProposalConfig = field(default_factory=ProposalConfig)

    @property
    def fingerprint(self) -> str:
        """The hash of the weights, what they are computed in, and the pipeline's settings."""
        model = self.predictor.model
        return f"{self.predictor.model_sha256()} {model.dtype} {model.device.type} {self.config}"

    def answer(self, _picture: LabelledPicture, image: LoadedImage, _truth: PictureTruth) -> PictureAnswers:
        """Its proposals."""
        found = propose(self.predictor, image, self.config)
        return PictureAnswers(
            rles=found.masks.rles,
            scores=found.scores,
            area_px=found.masks.area_px.astype(np.float64),
            categories=np.full(len(found.masks), OBJECT, np.int64),
        )


def run(
    config: ProposalsConfig,
    pictures: LabelledPictures,
    columns: Sequence[Answerer],
    *,
    out: Path | None = None,
    progress: Progress | None = None,
) -> Answered:
    """The proposals of every column on every picture, matched.

    Raises: as `answer_all`.
    """
    return answer_all(config.answering(pictures.frequencies), pictures, columns, out=out, progress=progress)


def measures(config: ProposalsConfig, frequencies: dict[int, Frequency]) -> list[str]:
    """The names of the scores, in the order of tables."""
    last = config.limits[-1]
    names = [division.name for division in config.answering(frequencies).matching.divisions]
    return [f"AR@{limit}" for limit in config.limits] + [f"AR@{last} {name}" for name in names[1:]]


def scores(
    config: ProposalsConfig, frequencies: dict[int, Frequency], columns: Mapping[str, Sequence[PictureScore]]
) -> list[Score]:
    """Every column's recall with its interval; a size or frequency that nothing is annotated of has none."""
    found = []
    for column, rows in columns.items():
        intervals = overall_recall([row.matches for row in rows], config.limits, config.bootstrap)
        for measure, interval in zip(measures(config, frequencies), intervals, strict=True):
            found.append(Score(column=column, measure=measure, value=interval))
        proposals = float(np.mean([row.answers for row in rows]))
        found.append(Score.plain(column, "proposals a picture", proposals))
    return found
