"""A detector's boxes in the picture's own pixels, and the masks that are worth showing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from anymask.errors import ConfigError, EmbeddingMismatchError
from anymask.masks import rle
from anymask.masks.boxes import iou_matrix
from anymask.masks.overlap import rle_iou_matrix
from anymask.model.object_detector import ObjectDetector, ObjectDetectorConfig
from anymask.model.weights import load
from anymask.predict.embeddings import EmbeddedImage
from anymask.predict.object_boxes import ObjectMasks, ProposalConfig, find_boxes, find_masks
from anymask.predict.predictor import Predictor
from anymask.prompts.types import Prompt
from tests.cli.small_model import write_small_model

ALL = ProposalConfig(predicted_iou=0, stability=0, nms_threshold=1, overlap=1, max_area_share=1, most=1000)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return Predictor(load(write_small_model(tmp_path_factory.mktemp("model") / "small.safetensors")))


@pytest.fixture(scope="module")
def embedded(predictor: Predictor) -> EmbeddedImage:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    return predictor.embed(pixels)


@pytest.fixture(scope="module")
def detector(predictor: Predictor) -> ObjectDetector:
    """One that finds something in every cell."""
    torch.manual_seed(0)
    config = ObjectDetectorConfig.reading(predictor.model, width=16, depth=1)
    made = ObjectDetector(config, predictor.model_sha256()).eval()
    torch.nn.init.normal_(made.score.weight, std=0.5)
    return made


def masks(predictor: Predictor, detector: ObjectDetector, embedded: EmbeddedImage, **changes: float) -> ObjectMasks:
    fields = {name: getattr(ALL, name) for name in ProposalConfig.__dataclass_fields__}
    return find_masks(predictor, detector, embedded, 0.0, config=ProposalConfig(**(fields | changes)))


def test_boxes_lie_in_the_picture_and_are_those_of_the_input_scaled_back(
    detector: ObjectDetector, embedded: EmbeddedImage
) -> None:
    found = find_boxes(detector, embedded, 0.0)
    (inner,) = detector.detect(embedded.embedding, [embedded.frame.resized_hw], confidence=0.0)
    # 60 px of the picture are 128 px of the input, and 40 px are 85.
    scale = np.array([60 / 128, 40 / 85, 60 / 128, 40 / 85], np.float32)
    np.testing.assert_allclose(found.boxes_xyxy, inner.boxes_xyxy * scale, atol=1e-3)
    assert found.boxes_xyxy[:, 2].max() == 60
    assert found.boxes_xyxy[:, 3].max() == 40
    assert (np.diff(found.scores) <= 0).all()


def test_each_mask_is_the_models_answer_to_its_box(
    predictor: Predictor, detector: ObjectDetector, embedded: EmbeddedImage
) -> None:
    found = masks(predictor, detector, embedded)
    assert len(found.masks) == len(found.boxes.scores) > 3
    predictor.set_image(embedded)
    for index in range(3):
        answer = predictor.predict(Prompt(box_xyxy=found.boxes.boxes_xyxy[index])).mask_set()
        assert answer.rles[0] == found.masks.rles[index]
        assert answer.predicted_iou[0] == pytest.approx(found.masks.predicted_iou[index])
    rank = found.boxes.scores * found.masks.predicted_iou
    assert (np.diff(rank) <= 1e-6).all()


def test_every_limit_leaves_out_what_it_says(
    predictor: Predictor, detector: ObjectDetector, embedded: EmbeddedImage
) -> None:
    every = masks(predictor, detector, embedded)
    sure = masks(predictor, detector, embedded, predicted_iou=1.0)
    assert len(sure.masks) == int((every.masks.predicted_iou >= 1).sum())
    stable = float(np.median(every.masks.stability))
    assert (masks(predictor, detector, embedded, stability=stable).masks.stability >= stable).all()
    small = masks(predictor, detector, embedded, max_area_share=0.2)
    assert (small.masks.area_px < 0.2 * 40 * 60).all()
    apart = masks(predictor, detector, embedded, nms_threshold=0.4).masks
    overlap = iou_matrix(apart.boxes_xyxy, apart.boxes_xyxy) - np.eye(len(apart))
    assert overlap.max() <= 0.4
    assert len(masks(predictor, detector, embedded, most=2).masks) == 2


def test_what_is_there_already_is_not_found_again(
    predictor: Predictor, detector: ObjectDetector, embedded: EmbeddedImage
) -> None:
    every = masks(predictor, detector, embedded)
    there = [every.masks.rles[0], rle.encode(np.zeros((40, 60), np.bool_))]
    config = ProposalConfig(predicted_iou=0, stability=0, nms_threshold=1, overlap=0.3, max_area_share=1)
    rest = find_masks(predictor, detector, embedded, 0.0, existing=there, config=config)
    assert 0 < len(rest.masks) < len(every.masks)
    assert rle_iou_matrix(list(rest.masks.rles), there).max() < 0.3


def test_nothing_found_is_an_empty_set(predictor: Predictor, detector: ObjectDetector, embedded: EmbeddedImage) -> None:
    found = find_masks(predictor, detector, embedded, 1.0, existing=[])
    assert len(found.masks) == 0
    assert found.boxes.boxes_xyxy.shape == (0, 4)


def test_a_detector_of_another_model_is_refused(detector: ObjectDetector, embedded: EmbeddedImage) -> None:
    other = ObjectDetector(detector.config, "0" * 64)
    with pytest.raises(EmbeddingMismatchError, match="train a detector"):
        find_boxes(other, embedded, 0.5)


@pytest.mark.parametrize(
    "change", [{"predicted_iou": 1.1}, {"stability": -0.1}, {"nms_threshold": 2.0}, {"overlap": -1.0}, {"most": 0}]
)
def test_a_bad_limit_is_refused_with_its_name(change: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"ProposalConfig.{next(iter(change))}"):
        ProposalConfig(**change)
