"""The detector that proposes masks in stage 2: trained anew for each model on the masks that were accepted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from anymask.data_engine.blobs import Blobs
from anymask.data_engine.semi_automatic import deploy_detector
from anymask.data_engine.store import Database
from anymask.data_engine.turns.config import EngineConfig
from anymask.data_engine.turns.folder import StoppedError
from anymask.dataset.index import RecordIndex
from anymask.errors import RunError
from anymask.model.object_detector import ObjectDetector
from anymask.model.sam import Sam
from anymask.training.detector import train_detector
from anymask.training.loop import Hooks
from anymask.training.loop import Progress as TrainProgress

FOLDER = "detector"


@dataclass(frozen=True, kw_only=True, slots=True)
class Detected:
    """The detector of a turn, at the confidence from which its boxes are shown, on pictures it did not learn from."""

    recall: float
    precision: float
    confidence: float
    boxes_a_picture: float
    pictures: int
    """Learned from."""
    held_pictures: int
    """Measured on."""


class TellingHooks(Protocol):
    """The part of a turn's hooks that is needed here."""

    @property
    def progress(self) -> Callable[[int, int], None]:
        """Done, and in all."""
        ...

    @property
    def should_stop(self) -> Callable[[], bool]:
        """Whether to end here and go on another time."""
        ...


def make_detector(
    database: Database, blobs: Blobs, model: Sam, folder: Path, config: EngineConfig, hooks: TellingHooks
) -> Detected:
    """Train a detector on the dataset version in `folder` for `model`, and let it propose; killed, it goes on.

    Raises: StoppedError when it was told to; DatasetError when there is nothing to learn from, StoreError.
    """

    def tell(done: TrainProgress) -> None:
        hooks.progress(done.step, done.steps)

    told: Hooks[ObjectDetector] = Hooks(progress=tell, should_stop=hooks.should_stop)
    pictures = RecordIndex([folder / "dataset" / "train.tar"])
    out = folder / FOLDER
    try:
        report = train_detector(model, pictures, config.detector, out, hooks=told, on_embedded=hooks.progress)
    except RunError as error:
        if hooks.should_stop():
            raise StoppedError from error
        raise
    deploy_detector(database, blobs, ObjectDetector.load(report.path), report, config.proposals)
    return Detected(
        recall=report.recall,
        precision=report.precision,
        confidence=report.confidence,
        boxes_a_picture=report.shown,
        pictures=report.pictures,
        held_pictures=report.held_pictures,
    )
