"""The object detector: right coordinates on every map, and a file that belongs to one model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from anymask.errors import ConfigError, EmbeddingMismatchError, WeightsError
from anymask.model.embedding import ImageEmbedding
from anymask.model.object_detector import (
    STRIDES,
    USUAL_SIDE,
    ObjectDetector,
    ObjectDetectorConfig,
    cell_centres,
)
from anymask.model.sam import Sam
from anymask.model.weights import load, model_hash, save


@pytest.fixture(params=["model", "vit"])
def encoder(request: pytest.FixtureRequest) -> Sam:
    found: Sam = request.getfixturevalue(request.param)
    return found


def detector_of(model: Sam) -> ObjectDetector:
    torch.manual_seed(0)
    return ObjectDetector(ObjectDetectorConfig.reading(model, width=16, depth=1), model_hash(model)).eval()


def embed(model: Sam, count: int = 1) -> ImageEmbedding:
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        return model.embed(torch.randn(count, 3, model.input_size, model.input_size, generator=generator))


def test_it_reads_the_embeddings_of_tiny_and_of_vit(encoder: Sam) -> None:
    detector, embedding = detector_of(encoder), embed(encoder, 2)
    with torch.no_grad():
        answers = detector(embedding)
        alone = detector(embedding[1])
    cells = len(cell_centres(encoder.input_size))
    assert answers.score_logits.shape == (2, cells)
    assert answers.boxes_xyxy.shape == (2, cells, 4)
    torch.testing.assert_close(alone.boxes_xyxy[0], answers.boxes_xyxy[1], atol=1e-4, rtol=1e-4)


def test_cells_lie_row_by_row_with_their_middles_inside_the_input() -> None:
    size = 96
    expected = [
        ((column + 0.5) * stride, (row + 0.5) * stride, stride)
        for stride in STRIDES
        for row in range(-(-size // stride))
        for column in range(-(-size // stride))
    ]
    assert cell_centres(size).tolist() == [list(map(float, cell)) for cell in expected]


@pytest.mark.parametrize("size", [32, 64, 96, 160])
def test_every_input_size_gives_as_many_answers_as_cells(size: int) -> None:
    detector = ObjectDetector(ObjectDetectorConfig(main_channels=8, input_size=size, width=16, depth=1), "")
    with torch.no_grad():
        answers = detector(ImageEmbedding(torch.zeros(1, 8, size // 16, size // 16)))
    assert answers.score_logits.shape[1] == len(cell_centres(size))


def test_a_cell_that_says_nothing_of_its_own_means_a_box_of_the_usual_side_around_it(model: Sam) -> None:
    detector = detector_of(model)
    torch.nn.init.zeros_(detector.box.weight)
    with torch.no_grad():
        (boxes,) = detector(embed(model)).boxes_xyxy
    x, y, stride = detector.cells.unbind(dim=1)
    half = stride * USUAL_SIDE / 2
    torch.testing.assert_close(boxes, torch.stack((x - half, y - half, x + half, y + half), dim=1))


def test_boxes_are_cut_to_the_picture_and_nothing_is_found_in_the_padding(model: Sam) -> None:
    detector, (height, width) = detector_of(model), (50, 90)
    (found,) = detector.detect(embed(model), [(height, width)], confidence=0.0, nms_threshold=1.0, most=10_000)
    inside = (detector.cells[:, 0] < width) & (detector.cells[:, 1] < height)
    assert len(found.scores) == int(inside.sum())
    assert found.boxes_xyxy.min() >= 0
    assert (found.boxes_xyxy <= np.array([width, height, width, height])).all()
    # Boxes that reach over an edge end on it, not before it.
    assert found.boxes_xyxy[:, 0].min() == 0
    assert found.boxes_xyxy[:, 2].max() == width
    assert found.boxes_xyxy[:, 3].max() == height


def test_confidence_and_doubles_decide_what_is_found(model: Sam) -> None:
    detector, embedding = detector_of(model), embed(model)
    (every,) = detector.detect(embedding, [(128, 128)], confidence=0.0, nms_threshold=1.0, most=10_000)
    assert (np.diff(every.scores) <= 0).all()
    limit = float(np.median(every.scores))
    (some,) = detector.detect(embedding, [(128, 128)], confidence=limit, nms_threshold=1.0, most=10_000)
    assert len(some.scores) == int((every.scores >= limit).sum())
    (apart,) = detector.detect(embedding, [(128, 128)], confidence=0.0, nms_threshold=0.3)
    assert 0 < len(apart.scores) < len(every.scores)
    (few,) = detector.detect(embedding, [(128, 128)], confidence=0.0, nms_threshold=1.0, most=3)
    np.testing.assert_array_equal(few.boxes_xyxy, every.boxes_xyxy[:3])


def test_half_precision_embeddings_as_stored_are_taken(model: Sam) -> None:
    detector, embedding = detector_of(model), embed(model)
    with torch.no_grad():
        full, half = detector(embedding), detector(embedding.to(dtype=torch.float16))
    torch.testing.assert_close(half.boxes_xyxy, full.boxes_xyxy, atol=0.5, rtol=0.01)


def test_a_saved_detector_comes_back_bit_for_bit_with_its_model(model: Sam, tmp_path: Path) -> None:
    detector, path = detector_of(model), tmp_path / "detector.safetensors"
    detector.save(path, {"step": "7"})
    back = ObjectDetector.load(path)
    assert (back.config, back.model_sha256, back.sha256()) == (detector.config, model_hash(model), detector.sha256())
    embedding = embed(model)
    with torch.no_grad():
        assert torch.equal(back(embedding).boxes_xyxy, detector(embedding).boxes_xyxy)


def test_embeddings_of_another_model_are_refused_by_the_hash(model: Sam, vit: Sam) -> None:
    detector = detector_of(model)
    detector.check_model(model_hash(model))
    with pytest.raises(EmbeddingMismatchError, match="train a detector for that model"):
        detector.check_model(model_hash(vit))


def test_the_hash_changes_with_every_weight_and_with_the_model(model: Sam) -> None:
    detector = detector_of(model)
    other = ObjectDetector(detector.config, "0" * 64)
    other.load_state_dict(detector.state_dict())
    assert other.sha256() != detector.sha256()
    before = detector.sha256()
    with torch.no_grad():
        detector.map_bias[0] += 1
    assert detector.sha256() != before


def test_other_and_damaged_files_are_refused(model: Sam, tmp_path: Path) -> None:
    whole, path = tmp_path / "model.safetensors", tmp_path / "detector.safetensors"
    save(model, whole)
    with pytest.raises(WeightsError, match="does not hold an object detector"):
        ObjectDetector.load(whole)
    detector_of(model).save(path)
    with pytest.raises(WeightsError):
        load(path)
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(WeightsError, match="damaged"):
        ObjectDetector.load(path)
    path.write_bytes(bytes(data[:100]))
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        ObjectDetector.load(path)
    with pytest.raises(WeightsError):
        ObjectDetector.load(tmp_path / "missing.safetensors")


@pytest.mark.parametrize(
    "change", [{"width": 8}, {"width": 20}, {"depth": 0}, {"main_channels": 0}, {"input_size": 100}]
)
def test_a_configuration_that_makes_no_detector_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="ObjectDetectorConfig"):
        ObjectDetectorConfig(**{"main_channels": 8, **change})
