"""Images as patches: there and back, hidden by chance, and a loss that equals an obvious one."""

import numpy as np
import pytest
import torch

from anymask.training.patches import (
    from_patches,
    hidden_patches,
    masked_loss,
    patch_statistics,
    to_patches,
    visible_count,
    wave_positions,
)


def test_patches_come_back_as_the_image_they_were() -> None:
    images = torch.randn(2, 3, 48, 48)
    patches = to_patches(images)
    assert patches.shape == (2, 9, 768)
    assert torch.equal(from_patches(patches), images)


def test_patches_are_squares_of_the_image_in_raster_order() -> None:
    images = torch.randn(1, 3, 32, 32)
    second = images[0, :, :16, 16:]  # top right
    assert torch.equal(to_patches(images)[0, 1].view(16, 16, 3).permute(2, 0, 1), second)


def slow_loss(predicted: np.ndarray, images: np.ndarray, hidden: np.ndarray) -> list[float]:
    """Image by image, patch by patch, value by value."""
    side = images.shape[-1] // 16
    losses = []
    for image, answer, is_hidden in zip(images, predicted, hidden, strict=True):
        errors = []
        for number in np.flatnonzero(is_hidden):
            row, column = divmod(int(number), side)
            patch = image[:, row * 16 : row * 16 + 16, column * 16 : column * 16 + 16].astype(np.float64)
            normal = (patch - patch.mean()) / np.sqrt(patch.var(ddof=1) + 1e-6)
            values = [normal[c, y, x] for y in range(16) for x in range(16) for c in range(3)]
            errors += [(a - b) ** 2 for a, b in zip(answer[number], values, strict=True)]
        losses.append(sum(errors) / len(errors))
    return losses


def test_the_loss_equals_a_slow_obvious_one() -> None:
    rng = np.random.default_rng(0)
    images = (rng.normal(size=(2, 3, 48, 48)) * 3 + 1).astype(np.float32)
    predicted = rng.normal(size=(2, 9, 768)).astype(np.float32)
    hidden = np.stack([hidden_patches(9, 0.6, rng) for _ in range(2)])
    fast = masked_loss(torch.from_numpy(predicted), to_patches(torch.from_numpy(images)), torch.from_numpy(hidden))
    np.testing.assert_allclose(fast.numpy(), slow_loss(predicted, images, hidden), rtol=1e-5)


def test_the_loss_is_finite_on_patches_of_one_colour_and_zero_for_the_right_answer() -> None:
    images, hidden = torch.full((1, 3, 32, 32), 0.7), torch.tensor([[True, True, False, True]])
    assert masked_loss(torch.zeros(1, 4, 768), to_patches(images), hidden).item() == pytest.approx(0, abs=1e-6)
    patches = to_patches(torch.randn(1, 3, 32, 32))
    mean, deviation = patch_statistics(patches)
    assert masked_loss((patches - mean) / deviation, patches, hidden).item() == 0


def test_what_is_said_of_visible_patches_does_not_count() -> None:
    patches, hidden = torch.randn(1, 4, 768), torch.tensor([[True, False, True, True]])
    predicted = torch.randn(1, 4, 768)
    before = masked_loss(predicted, patches, hidden)
    predicted[0, 1] += 5
    assert torch.equal(before, masked_loss(predicted, patches, hidden))


@pytest.mark.parametrize(
    ("patches", "ratio", "visible"), [(196, 0.75, 49), (16, 0.75, 4), (4, 0.99, 1), (100, 0.9, 10)]
)
def test_the_share_that_is_hidden_is_the_one_asked_for(patches: int, ratio: float, visible: int) -> None:
    hidden = hidden_patches(patches, ratio, np.random.default_rng(3))
    assert (patches - hidden.sum(), visible_count(patches, ratio)) == (visible, visible)


def test_every_patch_is_hidden_about_equally_often() -> None:
    rng = np.random.default_rng(0)
    shares = np.mean([hidden_patches(16, 0.75, rng) for _ in range(2000)], axis=0)
    np.testing.assert_allclose(shares, 0.75, atol=0.05)


def test_every_place_has_its_own_position() -> None:
    positions = wave_positions(14, 32)
    assert positions.shape == (196, 32)
    assert len(torch.unique(positions.round(decimals=5), dim=0)) == 196
