from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anymask.images.frames import Frame
from tests.public_sam import import_public_sam

_SIDES = st.integers(1, 6000)


@given(height=_SIDES, width=_SIDES, input_size=st.sampled_from([256, 512, 1024]))
def test_resized_picture_fills_the_longest_side_and_keeps_a_pixel_on_the_shortest(
    height: int, width: int, input_size: int
) -> None:
    frame = Frame.fit((height, width), input_size)
    assert frame.resized_hw[height < width] == input_size
    assert min(frame.resized_hw) >= 1
    assert max(frame.resized_hw) == input_size


@given(height=_SIDES, width=_SIDES)
def test_points_come_back_from_the_input_frame(height: int, width: int) -> None:
    frame = Frame.fit((height, width), 1024)
    points = np.array([[0, 0], [width, height], [width / 3, height / 7]])
    back = frame.to_original_xy(frame.to_input_xy(points))
    assert np.allclose(back, points, rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize("size_hw", [(480, 640), (640, 480), (333, 500), (1500, 2250), (1024, 1024), (7, 5000)])
def test_frame_agrees_with_the_public_transform(size_hw: tuple[int, int]) -> None:
    import_public_sam()
    from segment_anything.utils.transforms import ResizeLongestSide

    public, frame = ResizeLongestSide(1024), Frame.fit(size_hw, 1024)
    assert frame.resized_hw == public.get_preprocess_shape(*size_hw, 1024)
    points = np.array([[1.5, 2.25], [size_hw[1] - 1, size_hw[0] - 1]])
    assert np.allclose(frame.to_input_xy(points), public.apply_coords(points, size_hw), rtol=1e-7, atol=0)
    boxes = np.array([[1.0, 2.0, 30.0, 6.0]])
    assert np.allclose(frame.to_input_boxes(boxes), public.apply_boxes(boxes, size_hw), rtol=1e-7, atol=0)


def test_pixels_are_resized_as_the_public_transform_does() -> None:
    import_public_sam()
    from segment_anything.utils.transforms import ResizeLongestSide

    pixels = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    ours = Frame.fit((60, 90), 128).resize_pixels(pixels)
    assert np.array_equal(ours, ResizeLongestSide(128).apply_image(pixels))


def test_picture_of_the_input_size_is_not_resampled() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    assert Frame.fit((64, 48), 64).resize_pixels(pixels) is pixels


def test_boxes_are_their_two_corners() -> None:
    frame = Frame.fit((480, 640), 1024)
    box = np.array([10.0, 20.0, 300.0, 400.0])
    assert np.array_equal(frame.to_input_boxes(box), frame.to_input_xy(box.reshape(2, 2)).reshape(4))
    assert frame.to_input_boxes(np.zeros((5, 4))).shape == (5, 4)


@pytest.mark.parametrize("size_hw", [(40, 64), (64, 40), (100, 37)])
def test_mask_goes_to_input_logits_and_back(size_hw: tuple[int, int]) -> None:
    frame = Frame.fit(size_hw, 256)
    mask = np.zeros(size_hw, bool)
    mask[8:30, 5:28] = True
    logits = frame.to_input_logits(mask, 64, magnitude=10.0)
    assert logits.shape == (1, 64, 64)
    assert logits.abs().max() <= 10.0
    back = (frame.to_original_logits(logits[None])[0, 0] > 0).numpy()
    assert (back & mask).sum() / (back | mask).sum() > 0.85


def test_padding_of_the_input_never_reaches_the_original() -> None:
    frame = Frame.fit((32, 64), 64)
    logits = torch.full((1, 1, 16, 16), -5.0)
    logits[..., 12:, :] = 5.0  # deep in the padding: rows 48 to 63 of the input
    assert (frame.to_original_logits(logits) < 0).all()
    mask = np.ones((32, 64), bool)
    assert (frame.to_input_logits(mask, 16, magnitude=1.0)[0, 12:] < 0).all()
