"""Labelled pictures -> an object detector on the frozen embedding: minutes for hundreds of pictures on two cores.

Each picture (and its mirror image) is embedded once and kept on disk; the head learns from these embeddings. What
nobody labelled teaches nothing: neither that there is an object nor that there is none (`detector_targets.py`), unless
`unlabelled_weight` says how far a lack of labels is to be trusted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from anymask.errors import RunError
from anymask.figures.pictures import encode
from anymask.model.object_detector import ObjectDetector, ObjectDetectorConfig
from anymask.model.sam import Sam
from anymask.model.weights import model_hash
from anymask.runs import RunFolder, from_plain, to_plain, write_atomically
from anymask.training.batches import Records
from anymask.training.detector_config import DetectorConfig
from anymask.training.detector_examples import Embeddings, Split, embed_all, split
from anymask.training.detector_scores import Operating, choose, operating_points
from anymask.training.detector_trainer import CONFIDENCES, DetectorTrainer, plot_curve
from anymask.training.loop import Hooks

__all__ = ["DetectorConfig", "DetectorReport", "train_detector"]

WEIGHTS, REPORT, CURVE = "detector.safetensors", "detector.json", "detector.png"
"""What a finished run holds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectorReport:
    """How good a trained detector is on pictures it did not learn from, at the confidence chosen for showing."""

    recall: float
    """Share of the labelled objects that are found at IoU .5."""
    precision: float
    """Share of right ones among the boxes that can be judged."""
    confidence: float
    """Boxes from this score on are shown."""
    is_precise: bool
    """Whether the precision asked for was reached; if not, `confidence` is where precision is highest."""
    shown: float
    """Boxes a picture at that confidence."""
    unknown: float
    """Boxes a picture at that confidence that cannot be judged, for nobody labelled most of what they hold."""
    curve: tuple[Operating, ...]
    """The same at other confidences, in rising order."""
    pictures: int
    """Pictures learned from."""
    held_pictures: int
    """Pictures measured on."""
    held_objects: int
    """Labelled objects on them."""
    skipped: int
    """Pictures left out because nothing on them is labelled."""
    model_sha256: str
    """The model whose embeddings the detector reads."""
    detector_sha256: str
    """The detector."""
    path: Path
    """Its file."""
    seconds: float
    """Wall time of this call; a resumed run's earlier calls are not in it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    """What a run folder is for: nothing of it may change when the run goes on."""

    detector: DetectorConfig
    head: ObjectDetectorConfig
    model_sha256: str
    data_sha256: str
    """Of the names, pictures and labels of all records."""


def train_detector(
    model: Sam,
    pictures: Records,
    config: DetectorConfig,
    out: Path,
    *,
    held: Records | None = None,
    cache: Path | None = None,
    hooks: Hooks[ObjectDetector] | None = None,
    on_embedded: Callable[[int, int], None] | None = None,
) -> DetectorReport:
    """Train a detector for the embeddings of `model` on labelled `pictures`, and measure it on others.

    `out` becomes a run folder with `detector.safetensors`, `detector.json` (the report) and `detector.png` (recall and
    precision over confidence). Called again with the same arguments a killed run goes on, and a finished one answers at
    once. `held` are the pictures to measure on; without them a share of `pictures` is kept out. Embeddings are kept in
    `cache`, below the model's own hash (without one in `out`). `on_embedded` is called with (pictures embedded, in all)
    before the first step; `hooks` are those of every training.

    Raises: DatasetError when there is nothing to learn from or to measure on; RunError when `out` holds another run, or
    `hooks.should_stop` ended this one: call again to go on.
    """
    started = time.perf_counter()
    model_sha256 = model_hash(model)
    head = ObjectDetectorConfig.reading(model, width=config.width, depth=config.depth)
    data = split(pictures, held, config, model.input_size)
    plan = _Run(detector=config, head=head, model_sha256=model_sha256, data_sha256=data.sha256)
    run = RunFolder.create(out, plan)
    if (out / REPORT).is_file():
        return read_report(out)
    folder = (out / "embeddings" if cache is None else cache) / model_sha256[:16]
    embeddings = Embeddings(model, folder, config.embedding_cache_gib)
    embed_all(embeddings, data, flip=config.flip, on_embedded=on_embedded)
    torch.manual_seed(config.seed)
    detector = ObjectDetector(head, model_sha256).to(model.device)
    trainer = DetectorTrainer(config, detector, data, embeddings, run)
    if not trainer.is_done:
        run.log_start(trainer.step, {"pictures": len(data.learned), "held_pictures": len(data.held)})
    trainer.train(hooks)
    if not trainer.is_done:
        raise RunError(f"the detector's training in {out} was stopped at step {trainer.step}; call again to go on")
    report = _report(trainer, data, out, time.perf_counter() - started)
    write_atomically(out / REPORT, json.dumps(to_plain(report), indent=1).encode())
    return report


def read_report(out: Path) -> DetectorReport:
    """The report of a finished run.

    Raises: RunError when there is none.
    """
    try:
        report = from_plain(DetectorReport, json.loads((out / REPORT).read_bytes()))
    except (OSError, ValueError) as error:
        raise RunError(f"{out} holds no finished detector ({error}); train it to the end") from error
    return replace(report, path=out / WEIGHTS)


def _report(trainer: DetectorTrainer, data: Split, out: Path, seconds: float) -> DetectorReport:
    """Measure the detector, write it and the plot."""
    detector = trainer.model
    detector.save(out / WEIGHTS)
    judged = list(trainer.judged())
    points = operating_points(judged, CONFIDENCES)
    shown, is_precise = choose(points, trainer.config.precision_shown, len(judged))
    write_atomically(out / CURVE, encode(plot_curve(points, shown), "png"))
    return DetectorReport(
        recall=shown.recall,
        precision=shown.precision,
        confidence=shown.confidence,
        is_precise=is_precise,
        shown=shown.shown,
        unknown=shown.unknown,
        curve=tuple(points),
        pictures=len(data.learned),
        held_pictures=len(data.held),
        held_objects=sum(one.objects for one in judged),
        skipped=data.skipped,
        model_sha256=detector.model_sha256,
        detector_sha256=detector.sha256(),
        path=out / WEIGHTS,
        seconds=round(seconds, 1),
    )
