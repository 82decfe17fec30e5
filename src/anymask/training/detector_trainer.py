"""The detector's steps: its loss, and recall and precision so far."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from anymask.figures.pictures import Pixels, encode
from anymask.figures.plots import Labels, Line, Panel, panels
from anymask.model.embedding import ImageEmbedding
from anymask.model.object_detector import ObjectDetector
from anymask.runs import RunFolder, write_atomically
from anymask.training.detector_config import DetectorConfig
from anymask.training.detector_examples import Embeddings, Split
from anymask.training.detector_scores import JudgedPicture, Operating, judge, operating_points
from anymask.training.detector_targets import CellTargets, LabelledBoxes, assign
from anymask.training.loop import Loop, Share
from anymask.training.mixture import mix_sets

CONFIDENCES = tuple(round(0.05 + 0.01 * step, 2) for step in range(91))
"""Where recall and precision are measured."""
_QUALITY_BETA = 2.0
"""Source: generalised focal loss, arXiv 2006.04388."""


class DetectorTrainer(Loop[ObjectDetector]):
    """A run of the detector's training."""

    def __init__(
        self,
        config: DetectorConfig,
        detector: ObjectDetector,
        data: Split,
        embeddings: Embeddings,
        run: RunFolder,
    ) -> None:
        """Start with the weights of `detector`, or go on from the newest checkpoint of `run`."""
        super().__init__(config, detector, run)
        self.config, self.data, self.embeddings = config, data, embeddings
        self._mixture = mix_sets([""] * len(data.learned), (), config.seed)
        self._parts: dict[str, float] = {}
        self.restore()

    def write(self, path: Path) -> None:
        self.model.save(path, {"step": str(self.step)})

    def learn_from(self, step: int) -> Share:
        count = self.config.pictures
        chosen = [self.data.learned[self._mixture.at(step * count + place)] for place in range(count)]
        rng = np.random.default_rng((self.config.seed, step))
        flips = (rng.random(count) < 0.5) & self.config.flip
        each = [self.embeddings.of(one, is_flipped=bool(flip)) for one, flip in zip(chosen, flips, strict=True)]
        boxes = [one.boxes.flipped() if flip else one.boxes for one, flip in zip(chosen, flips, strict=True)]
        embedding = ImageEmbedding.stack(each).to(dtype=torch.float32)
        with self.autocast():
            answers = self.model(embedding)
        targets = [assign(self.model.cells, one, self.config.radius) for one in boxes]
        losses = [
            detector_loss(answers.score_logits[row].float(), answers.boxes_xyxy[row].float(), target, one, self.config)
            for row, (target, one) in enumerate(zip(targets, boxes, strict=True))
        ]
        total = torch.stack([score + self.config.box_weight * place for score, place in losses])
        self._parts = {
            "score_loss": float(np.mean([float(score.detach()) for score, _ in losses])),
            "box_loss": float(np.mean([float(place.detach()) for _, place in losses])),
        }
        values = [float(value) for value in total.detach()]
        if not np.isfinite(values).all():
            return Share(values, is_finite=False)
        torch.autograd.backward(total.sum())
        return Share(values)

    def describe(self) -> dict[str, float]:
        return self._parts

    def draw(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        points = operating_points(list(self.judged()), CONFIDENCES)
        write_atomically(path, encode(plot_curve(points, None), "jpeg"))

    def judged(self) -> Iterator[JudgedPicture]:
        """The detections of every held-out picture, judged; with the weights as they are now."""
        was_training = self.model.training
        self.model.eval()
        for example in self.data.held:
            embedding = self.embeddings.of(example, is_flipped=False)
            (found,) = self.model.detect(embedding, [example.boxes.content_hw], confidence=CONFIDENCES[0])
            yield judge(found, example.boxes)
        self.model.train(was_training)


def detector_loss(
    score_logits: Tensor, boxes_xyxy: Tensor, target: CellTargets, picture: LabelledBoxes, config: DetectorConfig
) -> tuple[Tensor, Tensor]:
    """The losses of scores and boxes of one picture, both per positive cell (at least one).

    `score_logits` is (L,), `boxes_xyxy` (L, 4). A positive cell's score is to be the IoU of its box with the object's;
    the box's loss is 1 - GIoU (Rezatofighi et al. 2019, arXiv 1902.09630).
    """
    positive = torch.nonzero(target.owner >= 0).flatten()
    truth = torch.from_numpy(picture.boxes_xyxy).to(boxes_xyxy.device)[target.owner[positive]]
    iou, generalised = _overlaps(boxes_xyxy[positive], truth)
    wanted = torch.zeros_like(score_logits)
    wanted[positive] = iou.detach()
    weight = torch.where(target.known, 1.0, config.unlabelled_weight)
    away = (wanted - score_logits.sigmoid()).abs() ** _QUALITY_BETA
    scores = weight * away * F.binary_cross_entropy_with_logits(score_logits, wanted, reduction="none")
    count = max(1, len(positive))
    return scores.sum() / count, (1 - generalised).sum() / count


def _overlaps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """(N,) IoU and generalised IoU of N pairs of boxes; differentiable."""
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    intersection = (high - low).clamp(min=0).prod(dim=1)
    areas = [(one[:, 2:] - one[:, :2]).clamp(min=0).prod(dim=1) for one in (a, b)]
    union = (areas[0] + areas[1] - intersection).clamp(min=1e-6)
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(dim=1).clamp(min=1e-6)
    iou = intersection / union
    return iou, iou - (hull - union) / hull


def plot_curve(points: list[Operating], shown: Operating | None) -> Pixels:
    """(H, W, 3) uint8: recall and precision over confidence, and how many boxes a picture that shows."""
    at = [point.confidence for point in points]
    title = "" if shown is None else f"shown from {shown.confidence:.2f}: recall {shown.recall:.2f}, "
    title += "" if shown is None else f"precision {shown.precision:.2f}"
    lines = [
        Line(name="recall", x=at, values=[point.recall for point in points]),
        Line(name="precision", x=at, values=[point.precision for point in points]),
    ]
    boxes = [
        Line(name="boxes a picture", x=at, values=[point.shown for point in points]),
        Line(name="of them unknown", x=at, values=[point.unknown for point in points]),
    ]
    if shown is not None:
        for plot, top in ((lines, 1.0), (boxes, max(point.shown for point in points))):
            plot.append(Line(name="shown from here", x=[shown.confidence] * 2, values=[0.0, top]))
    return panels(
        [
            Panel(labels=Labels(title=title, x="confidence", y="share"), lines=lines),
            Panel(labels=Labels(title="held-out pictures", x="confidence", y="boxes a picture"), lines=boxes),
        ]
    )
