"""Traced masks are those of the full-size logits: same pixels, areas, boxes and run lengths."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from anymask.images.frames import Frame
from anymask.masks import boxes, rle
from anymask.masks.stability import stability_score
from anymask.predict.tracing import Thresholds, Tracer

SIZES = [(150, 225), (480, 640), (37, 53), (1, 700), (700, 1), (256, 256), (512, 100), (63, 64), (1200, 900)]


def smooth_logits(count: int, size: int = 64, seed: int = 0) -> npt.NDArray[np.float32]:
    """(count, size, size) logits of blobs, from a few large ones to speckles, some touching every edge."""
    rng = np.random.default_rng(seed)
    maps = []
    for index in range(count):
        noise = rng.standard_normal((size, size)).astype(np.float32)
        blurred = cv2.GaussianBlur(noise, (0, 0), (0.6, 2.0, 6.0)[index % 3])
        maps.append((blurred / blurred.std() - (-1.0, 0.0, 1.5)[index // 3 % 3]) * 3)
    return np.stack(maps).astype(np.float32)


@pytest.mark.parametrize("size_hw", SIZES)
def test_masks_are_those_of_the_full_size_logits(size_hw: tuple[int, int]) -> None:
    frame = Frame.fit(size_hw, 256)
    logits = smooth_logits(18)
    traced = Tracer(frame, 64).trace(logits)
    full = frame.to_original_logits(torch.from_numpy(logits)[None])[0]
    due = (full > 0).numpy()
    masks = rle.decode_batch([traced.rle(index) for index in range(len(logits))])
    # A pixel whose logit is zero to rounding may fall on either side.
    doubtful = (full.abs() < 1e-5).numpy()
    assert np.array_equal(masks | doubtful, due | doubtful)
    assert [traced.rle(index) for index in range(len(logits))] == rle.encode_batch(masks)
    assert np.array_equal(traced.area_px, masks.sum(axis=(1, 2)))
    assert np.array_equal(traced.boxes_xyxy, boxes.masks_to_boxes(masks))
    assert np.abs(traced.stability - stability_score(full).numpy()).max() < 1e-4


@pytest.mark.parametrize("offset", [0.0, 1.0])
@pytest.mark.parametrize("size_hw", [(480, 640), (150, 225), (1200, 900)])
def test_values_that_are_zero_to_rounding_leave_every_run_whole(size_hw: tuple[int, int], offset: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.integers(-2, 3, (12, 64, 64)).astype(np.float32) * np.float32(0.1)  # many neighbours cancel out
    logits[8:, 16:48] = 5
    traced = Tracer(Frame.fit(size_hw, 256), 64, thresholds=Thresholds(offset=offset)).trace(logits)
    found = [traced.rle(index) for index in range(len(logits))]
    masks = rle.decode_batch(found)
    assert found == rle.encode_batch(masks)
    assert np.array_equal(traced.area_px, masks.sum(axis=(1, 2)))
    assert np.array_equal(traced.boxes_xyxy, boxes.masks_to_boxes(masks))


@pytest.mark.parametrize("value", [-5.0, 5.0])
def test_an_empty_and_a_full_mask_are_whole(value: float) -> None:
    traced = Tracer(Frame.fit((90, 130), 256), 64).trace(np.full((1, 64, 64), value, np.float32))
    full = value > 0
    assert traced.area_px.tolist() == [90 * 130 * full]
    assert traced.boxes_xyxy.tolist() == [[0, 0, 130 * full, 90 * full]]
    assert traced.rle(0) == rle.encode(np.full((90, 130), full))
    assert traced.stability.tolist() == [float(full)]


def test_no_logits_give_no_masks() -> None:
    traced = Tracer(Frame.fit((90, 130), 256), 64).trace(np.zeros((0, 64, 64), np.float32))
    assert len(traced.edges) == len(traced.area_px) == len(traced.stability) == 0


def test_a_crop_lands_at_its_place_in_the_picture() -> None:
    frame = Frame.fit((50, 70), 256)
    logits = smooth_logits(9)
    alone = Tracer(frame, 64).trace(logits)
    placed = Tracer(frame, 64, origin_xy=(20, 30), picture_hw=(90, 100)).trace(logits)
    for index in range(len(logits)):
        due = np.zeros((90, 100), bool)
        due[30:80, 20:90] = rle.decode(alone.rle(index))
        assert placed.rle(index) == rle.encode(due)
        assert np.array_equal(placed.boxes_xyxy[index], boxes.mask_to_box(due))
    assert np.array_equal(placed.stability, alone.stability)


def test_thresholds_move_the_mask_and_the_stability() -> None:
    frame = Frame.fit((50, 70), 256)
    logits = smooth_logits(3)
    moved = Tracer(frame, 64, thresholds=Thresholds(mask=0.5, offset=0.25)).trace(logits + 0.5)
    alone = Tracer(frame, 64, thresholds=Thresholds(offset=0.25)).trace(logits)
    assert np.abs(moved.area_px - alone.area_px).max() <= 1
    assert np.allclose(moved.stability, alone.stability, atol=1e-3)
    assert (alone.stability > Tracer(frame, 64).trace(logits).stability).all()


def test_many_masks_at_once_equal_one_by_one() -> None:
    tracer = Tracer(Frame.fit((400, 600), 256), 64)
    logits = smooth_logits(40)
    together = tracer.trace(logits)
    for index in range(len(logits)):
        assert together.rle(index) == tracer.trace(logits[index : index + 1]).rle(0)
