"""`ResizeLongestSide` gives what the public one gives."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch

from anymask.compat.utils.transforms import ResizeLongestSide
from tests.compat.conftest import assert_alike
from tests.public_sam import import_public_sam

import_public_sam()
PublicResize = importlib.import_module("segment_anything.utils.transforms").ResizeLongestSide

SIZES = [(150, 230), (230, 150), (1024, 1024), (70, 1000), (333, 500)]


@pytest.mark.parametrize("size_hw", SIZES)
@pytest.mark.parametrize("length", [64, 1024])
def test_pixels_points_and_boxes(size_hw: tuple[int, int], length: int) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (*size_hw, 3), np.uint8)
    points, boxes = rng.uniform(0, 100, (5, 3, 2)), rng.integers(0, 100, (4, 4))
    ours, theirs = ResizeLongestSide(length), PublicResize(length)
    assert_alike(ours.apply_image(pixels), theirs.apply_image(pixels))
    assert_alike(ours.apply_coords(points, size_hw), theirs.apply_coords(points, size_hw))
    assert_alike(ours.apply_boxes(boxes, size_hw), theirs.apply_boxes(boxes, size_hw))
    assert_alike(
        ours.apply_coords_torch(torch.from_numpy(points), size_hw),
        theirs.apply_coords_torch(torch.from_numpy(points), size_hw),
    )
    assert_alike(
        ours.apply_boxes_torch(torch.from_numpy(boxes), size_hw),
        theirs.apply_boxes_torch(torch.from_numpy(boxes), size_hw),
    )
    shape = (*size_hw, length)
    assert ours.get_preprocess_shape(*shape) == theirs.get_preprocess_shape(*shape)


def test_the_given_arrays_are_not_changed() -> None:
    points = np.array([[3.0, 4.0]])
    tensor = torch.from_numpy(points.copy())
    ResizeLongestSide(64).apply_coords(points, (10, 20))
    ResizeLongestSide(64).apply_coords_torch(tensor, (10, 20))
    assert points.tolist() == tensor.tolist() == [[3, 4]]


def test_a_batch_of_tensors_is_resized_nearly_as_pixels_are() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)
    transform = ResizeLongestSide(64)
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    found = transform.apply_image_torch(tensor)[0].permute(1, 2, 0).numpy()
    assert np.abs(found - transform.apply_image(pixels)).max() < 1.1
