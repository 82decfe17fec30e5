"""Faces are found by the real detector, and what is blurred is gone."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from anymask.data_engine.privacy import BlurConfig, CenterFace, blur_boxes, find_all, padded_boxes
from anymask.errors import ChecksumError, ConfigError, InputError, MissingDependencyError, WeightsError

Pixels = npt.NDArray[np.uint8]
FACE = (180, 60, 272, 180)
"""The astronaut's, in demo/astronaut.jpg."""


@pytest.fixture(scope="module")
def astronaut(repository: Path) -> Pixels:
    return np.asarray(Image.open(repository / "demo" / "astronaut.jpg").convert("RGB"))


@pytest.fixture(scope="module")
def faces() -> CenterFace:
    return CenterFace()


def overlap(box: npt.NDArray[np.float32], other: tuple[int, int, int, int]) -> float:
    x0, y0 = np.maximum(box[:2], other[:2])
    x1, y1 = np.minimum(box[2:4], other[2:])
    shared = max(0, x1 - x0) * max(0, y1 - y0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return float(shared / (sum(areas) - shared))


@pytest.mark.parametrize("scale", [0.25, 0.5, 1.0, 3.0])
def test_a_face_is_found_at_any_size(faces: CenterFace, astronaut: Pixels, scale: float) -> None:
    pixels = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    found = faces.find(np.asarray(pixels, np.uint8))
    best = found[found[:, 4].argmax()]
    assert best[4] > 0.8
    assert overlap(best[:4] / scale, FACE) > 0.6


def test_a_picture_without_people_has_none(faces: CenterFace, photo: Pixels) -> None:
    assert faces.find(photo).shape == (0, 5)


def test_odd_sizes_are_taken(faces: CenterFace, astronaut: Pixels) -> None:
    assert faces.find(astronaut[:1, :1]).shape[1] == 5
    assert len(faces.find(np.ascontiguousarray(astronaut[30:197, 150:301]))) == 1


def test_a_blurred_face_is_not_found_again_and_nothing_else_changes(faces: CenterFace, astronaut: Pixels) -> None:
    found = faces.find(astronaut)
    blurred = blur_boxes(astronaut, found)
    assert len(faces.find(blurred)) == 0
    changed = (blurred != astronaut).any(axis=2)
    inside = np.zeros_like(changed)
    for x0, y0, x1, y1 in padded_boxes(found, (512, 512), BlurConfig()):
        inside[y0:y1, x0:x1] = True
    assert not (changed & ~inside).any()
    assert changed[100:140, 210:240].mean() > 0.9


def test_of_a_box_only_a_few_numbers_are_left() -> None:
    """A smooth picture of 5 x 5 cells has rank 5 at most: a face of thousands of pixels cannot be in it."""
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    blurred = blur_boxes(noise, np.array([[20, 20, 80, 80, 1]], np.float32), BlurConfig(padding=0))
    for channel in range(3):
        values = np.linalg.svd(blurred[20:80, 20:80, channel].astype(float), compute_uv=False)
        assert values[6] < 0.02 * values[0]
    assert blurred[20:80, 20:80].std() < 15 < noise.std()


@pytest.mark.parametrize("side", [1, 2, 3, 9])
def test_tiny_boxes_become_one_colour(side: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    blurred = blur_boxes(noise, np.array([[4, 4, 4 + side, 4 + side, 1]], np.float32), BlurConfig(padding=0))
    assert len(np.unique(blurred[4 : 4 + side, 4 : 4 + side].reshape(-1, 3), axis=0)) == 1


def test_boxes_are_padded_and_stay_in_the_picture() -> None:
    boxes = np.array([[10, 10, 30, 20, 1], [-5, 50, 5, 60, 1], [200, 0, 220, 5, 1]], np.float32)
    assert padded_boxes(boxes, (60, 100), BlurConfig(padding=0.5)) == [(0, 5, 40, 25), (0, 45, 10, 60)]
    with pytest.raises(ConfigError, match="padding"):
        BlurConfig(padding=-1)


class Broken:
    """A detector that gives what is no box."""

    kind, name = "faces", "broken"

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def find(self, _pixels: Pixels) -> npt.NDArray[np.float32]:
        return np.asarray(self.answer, np.float32)


@pytest.mark.parametrize("answer", [[[0, 0, float("nan"), 4, 1]], [[0, 0, 4, 4]], [1, 2, 3]])
def test_a_detector_that_does_not_work_is_noticed(astronaut: Pixels, answer: object) -> None:
    with pytest.raises(InputError, match="broken gave"):
        find_all(astronaut, [Broken(answer)])


def test_detectors_of_one_kind_add_up(astronaut: Pixels) -> None:
    found = find_all(astronaut, [Broken([[0, 0, 4, 4, 1]]), Broken([[1, 1, 4, 4, 1]])])
    assert {kind: len(boxes) for kind, boxes in found.items()} == {"faces": 2}


def test_missing_or_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.onnx").write_bytes(b"not a network")
    with pytest.raises(ChecksumError, match="expected 09189dea"):
        CenterFace(tmp_path / "x.onnx")
    with pytest.raises(WeightsError, match="cannot be read"):
        CenterFace(tmp_path / "gone.onnx")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(MissingDependencyError, match="Nothing is released without it"):
        CenterFace()
    with pytest.raises(ConfigError, match="threshold"):
        CenterFace(threshold=0)
