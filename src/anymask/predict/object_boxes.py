"""Objects found first, then prompted for: a detector's boxes on an embedded picture, and the masks they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anymask.errors import ConfigError
from anymask.masks.boxes import clip
from anymask.masks.overlap import rle_iou_matrix
from anymask.masks.suppress import nms
from anymask.masks.types import MaskSet, Rle
from anymask.model.object_detector import ObjectDetector
from anymask.predict.embeddings import EmbeddedImage
from anymask.predict.prediction import join_predictions
from anymask.predict.predictor import Predictor, ReadyImage, answer_prompts
from anymask.prompts.types import Prompt


@dataclass(frozen=True, kw_only=True, slots=True)
class ProposalConfig:
    """Which of the masks that a detector's boxes give are worth showing."""

    predicted_iou: float = 0.5
    """Masks are kept from this predicted IoU on; 0 keeps all. The default suits the small model, which is modest about
    its masks; a large one gives what is worth showing more than .8."""
    stability: float = 0.6
    """Masks are kept from this stability on; 0 keeps all. As above: of a large model's masks .9 and more."""
    nms_threshold: float = 0.7
    """Box IoU above which the mask of the lower score is a double."""
    overlap: float = 0.5
    """IoU with a mask that is there already from which a mask is dropped."""
    max_area_share: float = 0.95
    """Masks of this share of the picture or more are dropped."""
    most: int = 100
    """Masks a picture at most, best first."""

    def __post_init__(self) -> None:
        for name in ("predicted_iou", "stability", "nms_threshold", "overlap", "max_area_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"ProposalConfig.{name} must be in [0, 1], got {getattr(self, name)}")
        if self.most < 1:
            raise ConfigError(f"ProposalConfig.most must be at least 1, got {self.most}")


@dataclass(frozen=True, slots=True, eq=False)
class ObjectBoxes:
    """Boxes of one picture, best first."""

    boxes_xyxy: npt.NDArray[np.float32]
    """(D, 4) original pixels, inside the picture."""
    scores: npt.NDArray[np.float32]
    """(D,) expected IoU with an object's box."""


@dataclass(frozen=True, slots=True, eq=False)
class ObjectMasks:
    """The masks that are worth showing, best first, with the boxes that were asked."""

    masks: MaskSet
    boxes: ObjectBoxes
    """One a mask, in the same order."""


def find_boxes(detector: ObjectDetector, embedded: EmbeddedImage, confidence: float) -> ObjectBoxes:
    """The detector's boxes from `confidence` on.

    Raises: EmbeddingMismatchError for an embedding of another model than the detector's.
    """
    detector.check_model(embedded.model_sha256)
    device = next(detector.parameters()).device
    frame = embedded.frame
    (found,) = detector.detect(embedded.embedding.to(device), [frame.resized_hw], confidence=confidence)
    corners = frame.to_original_xy(found.boxes_xyxy.reshape(-1, 2, 2)).reshape(-1, 4)
    return ObjectBoxes(clip(corners, frame.original_hw), found.scores)


def find_masks(
    predictor: Predictor,
    detector: ObjectDetector,
    embedded: EmbeddedImage,
    confidence: float,
    *,
    existing: Sequence[Rle] = (),
    config: ProposalConfig | None = None,
) -> ObjectMasks:
    """The masks that the predictor gives for the detector's boxes, without doubles and what is `existing` already.

    Masks are ranked by box score times predicted IoU. Nothing is set in `predictor`, which others may share.

    Raises: EmbeddingMismatchError when predictor, detector and embedding are not of one model.
    """
    config = config or ProposalConfig()
    boxes = find_boxes(detector, embedded, confidence)
    embedded.check_model(predictor.model_sha256())
    ready = ReadyImage(predictor.model, _on_device(embedded, predictor))
    prompts = (Prompt(box_xyxy=box) for box in boxes.boxes_xyxy)
    answers = answer_prompts(ready, prompts, predictor.prompts_at_once, multimask=False)
    masks = join_predictions(answers, embedded.frame.original_hw)
    height, width = masks.size_hw
    good = (masks.area_px > 0) & (masks.area_px < config.max_area_share * height * width)
    good &= (masks.predicted_iou >= config.predicted_iou) & (masks.stability >= config.stability)
    rows = np.flatnonzero(good)
    rank = boxes.scores[rows] * masks.predicted_iou[rows]
    rows = rows[nms(masks.boxes_xyxy[rows], rank, config.nms_threshold)]
    if existing and len(rows):
        overlaps = rle_iou_matrix([masks.rles[row] for row in rows], list(existing)).max(axis=1)
        rows = rows[overlaps < config.overlap]
    rows = rows[: config.most]
    return ObjectMasks(masks.take(rows), ObjectBoxes(boxes.boxes_xyxy[rows], boxes.scores[rows]))


def _on_device(embedded: EmbeddedImage, predictor: Predictor) -> EmbeddedImage:
    """The embedding as the predictor's model takes it: stored ones are in half precision, on the CPU."""
    model = predictor.model
    return EmbeddedImage(
        frame=embedded.frame,
        embedding=embedded.embedding.to(model.device, model.dtype),
        image_sha256=embedded.image_sha256,
        model_sha256=embedded.model_sha256,
    )
