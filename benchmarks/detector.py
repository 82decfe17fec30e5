"""Objects found by a detector beside those found by a grid of clicks: recall, precision, masks, and seconds.

    python -m benchmarks.loop_pool ../shared/data/train-*.tar --out pool
    python -m benchmarks.detector pool/train.tar --held pool/held.tar --out runs/detector

Trains a class-agnostic detector for the embedding of `--model` on the pool's 70 %, which takes some minutes, and
measures it on its 30 %. A killed run goes on, a finished one is only measured. Then masks are made for some of the held
pictures in two ways: the detector's boxes answered by the model and filtered as proposals are, and everything-mode with
16 x 16 clicks and the preset "tiny". Seconds are of one core and without the embedding, which both need alike.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress as Bar

sys.path.insert(0, str(Path(__file__).parents[1]))

from anymask.dataset.index import RecordIndex
from anymask.dataset.record import Record
from anymask.masks.boxes import iou_matrix
from anymask.masks.overlap import rle_iou_matrix
from anymask.masks.types import MaskSet
from anymask.model.object_detector import Detections, ObjectDetector
from anymask.model.sam import Sam
from anymask.model.weights import load
from anymask.predict.automatic import AutomaticConfig, segment_everything
from anymask.predict.embeddings import EmbeddedImage
from anymask.predict.object_boxes import ProposalConfig, find_masks
from anymask.predict.predictor import Predictor
from anymask.training.detector import DetectorConfig, DetectorReport, train_detector
from anymask.training.detector_scores import RIGHT, UNKNOWN, WRONG, judge
from anymask.training.detector_targets import LabelledBoxes, labelled_boxes
from anymask.training.loop import Hooks

GRID_SIDE = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What one way of finding masks gave, in means over pictures or shares of all."""

    way: str
    masks: float
    """A picture."""
    box_recall: float
    """Share of the labelled objects whose box is found at IoU .5."""
    mask_recall: float
    """Share of them whose mask is found at IoU .5."""
    good_recall: float
    """Share of them whose mask is found at IoU .75."""
    precision: float
    """Share of right boxes among those that can be judged."""
    seconds: float
    """CPU seconds a picture, without the embedding."""


Way = Callable[[Predictor, Record, EmbeddedImage], tuple[MaskSet, np.ndarray]]
"""Masks of a picture, and their scores."""


def measure(way: str, find: Way, predictor: Predictor, records: Sequence[Record]) -> Found:
    """Make the masks of all `records` in one way, and compare them with the labels."""
    counts = np.zeros(6)
    seconds, verdicts = 0.0, []
    for record in records:
        embedded, truth = predictor.embed(record.image_bytes), record.masks()
        started = time.process_time()
        masks, scores = find(predictor, record, embedded)
        seconds += time.process_time() - started
        boxes = iou_matrix(truth.boxes_xyxy, masks.boxes_xyxy) if len(masks) else np.zeros((len(truth), 1))
        overlap = rle_iou_matrix(list(truth.rles), list(masks.rles)) if len(masks) else np.zeros((len(truth), 1))
        best_box, best = boxes.max(axis=1), overlap.max(axis=1)
        counts += (len(masks), len(truth), (best_box >= 0.5).sum(), (best >= 0.5).sum(), (best >= 0.75).sum(), 1)
        verdicts.append(judge(*_in_input(embedded, masks, scores, record, predictor.model)).verdicts)
    every = np.concatenate(verdicts)
    right, wrong = int((every == RIGHT).sum()), int((every == WRONG).sum())
    assert right + wrong + int((every == UNKNOWN).sum()) == len(every)
    return Found(
        way=way,
        masks=round(float(counts[0] / counts[5]), 1),
        box_recall=round(float(counts[2] / counts[1]), 3),
        mask_recall=round(float(counts[3] / counts[1]), 3),
        good_recall=round(float(counts[4] / counts[1]), 3),
        precision=round(right / max(1, right + wrong), 3),
        seconds=round(seconds / counts[5], 3),
    )


def _in_input(
    embedded: EmbeddedImage, masks: MaskSet, scores: np.ndarray, record: Record, model: Sam
) -> tuple[Detections, LabelledBoxes]:
    """Masks' boxes and labels in the frame in which detections are judged."""
    boxes = embedded.frame.to_input_boxes(masks.boxes_xyxy).reshape(-1, 4)
    truth = labelled_boxes(record, model.input_size, min_area_px=1, max_fraction=1.0)
    return Detections(boxes, np.asarray(scores, np.float32)), truth


def by_detector(detector: ObjectDetector, confidence: float, config: ProposalConfig) -> Way:
    """The detector's boxes, answered by the model."""

    def find(predictor: Predictor, _: Record, embedded: EmbeddedImage) -> tuple[MaskSet, np.ndarray]:
        found = find_masks(predictor, detector, embedded, confidence, config=config)
        return found.masks, found.boxes.scores * found.masks.predicted_iou

    return find


def by_grid(predictor: Predictor, record: Record, embedded: EmbeddedImage) -> tuple[MaskSet, np.ndarray]:
    """Everything-mode on an embedding that is there already."""
    config = replace(AutomaticConfig.named("tiny"), points_per_side=GRID_SIDE)
    own = Embedded(predictor, embedded)
    masks = segment_everything(own, record.image_bytes, config)
    return masks, masks.predicted_iou


class Embedded(Predictor):
    """A predictor that has one embedding already, so that only what follows is timed."""

    def __init__(self, predictor: Predictor, embedded: EmbeddedImage) -> None:
        super().__init__(predictor.model)
        self.embedded = embedded

    def embed(self, _: object) -> EmbeddedImage:
        """The one it has, for the whole picture."""
        return self.embedded


def main(arguments: list[str]) -> tuple[DetectorReport, list[Found]]:
    """Train, measure, print the table, and keep it as JSON in the run folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", type=Path, help="shards to learn from")
    parser.add_argument("--held", nargs="+", type=Path, required=True, help="shards to measure on")
    parser.add_argument("--out", type=Path, required=True, help="the run folder")
    parser.add_argument("--cache", type=Path, help="folder for embeddings, by default in the run folder")
    parser.add_argument("--model", default="tiny_loop_start")
    parser.add_argument("--steps", type=int, default=DetectorConfig().steps)
    parser.add_argument("--compared", type=int, default=20, help="held pictures that both ways make masks of")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    model, held = load(asked.model), RecordIndex(asked.held)
    with Bar(console=Console(stderr=True)) as bar:
        report = _train(model, asked, held, bar)
    detector = ObjectDetector.load(report.path)
    chosen = [held[index] for index in np.linspace(0, len(held) - 1, min(asked.compared, len(held))).astype(int)]
    everything = ProposalConfig(predicted_iou=0, stability=0, max_area_share=1)
    found = [
        measure(way, find, Predictor(model), chosen)
        for way, find in (
            ("detector, as proposed", by_detector(detector, report.confidence, ProposalConfig())),
            ("detector, every shown box", by_detector(detector, report.confidence, everything)),
            (f"grid of {GRID_SIDE} x {GRID_SIDE} clicks", by_grid),
        )
    ]
    (asked.out / "compared.json").write_text(json.dumps([asdict(one) for one in found], indent=1))
    print(table(report, found, len(chosen)))
    return report, found


def _train(model: Sam, asked: argparse.Namespace, held: RecordIndex, bar: Bar) -> DetectorReport:
    embedding, learning = bar.add_task("embedding", total=None), bar.add_task("learning", total=asked.steps)
    hooks: Hooks[ObjectDetector] = Hooks(progress=lambda now: bar.update(learning, completed=now.step))
    return train_detector(
        model,
        RecordIndex(asked.pictures),
        DetectorConfig(steps=asked.steps),
        asked.out,
        held=held,
        cache=asked.cache,
        hooks=hooks,
        on_embedded=lambda done, total: bar.update(embedding, completed=done, total=total),
    )


def table(report: DetectorReport, found: Sequence[Found], pictures: int) -> str:
    """The two tables as Markdown."""
    lines = [
        f"{report.held_pictures} held pictures, {report.held_objects} objects; shown from {report.confidence:.2f} on",
        "",
        "| confidence | recall | precision | boxes a picture | of them unknown |",
        "| --- | --- | --- | --- | --- |",
    ]
    for point in report.curve:
        if round(100 * point.confidence) % 10 == 0 or point.confidence == report.confidence:
            mark = "**" if point.confidence == report.confidence else ""
            lines.append(
                f"| {mark}{point.confidence:.2f}{mark} | {point.recall:.2f} | {point.precision:.2f} | "
                f"{point.shown:.1f} | {point.unknown:.1f} |"
            )
    lines += [
        "",
        f"masks of {pictures} of the held pictures",
        "",
        "| found by | masks a picture | objects found (box) | objects found (mask, IoU .5) | (mask, IoU .75) | "
        "precision | CPU s a picture |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {one.way} | {one.masks} | {one.box_recall:.2f} | {one.mask_recall:.2f} | {one.good_recall:.2f} | "
        f"{one.precision:.2f} | {one.seconds:.2f} |"
        for one in found
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
