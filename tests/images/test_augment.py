"""Random views: pixels and labels move together."""

import numpy as np
import pytest

from anymask.errors import ConfigError
from anymask.images.augment import ViewConfig, random_view


def picture(height: int = 60, width: int = 90) -> tuple[np.ndarray, list[np.ndarray]]:
    """A picture whose red channel is 200 exactly where its label is 1."""
    labels = np.zeros((height, width), np.uint16)
    labels[15:45, 20:50] = 1
    pixels = np.full((height, width, 3), 40, np.uint8)
    pixels[labels == 1] = 200
    return pixels, [labels]


def test_the_default_view_is_the_whole_picture_padded_below() -> None:
    pixels, maps = picture()
    view, view_maps, content_hw = random_view(pixels, maps, 180, ViewConfig(), np.random.default_rng(0))
    assert view.shape == (180, 180, 3)
    assert content_hw == (120, 180)
    assert not view[120:].any()
    assert view_maps[0].sum() == 30 * 30 * 4


@pytest.mark.parametrize("seed", range(8))
def test_labels_stay_on_their_pixels_under_crops_flips_and_scales(seed: int) -> None:
    config = ViewConfig(
        whole_probability=0.2, crop_fraction=(0.5, 1), shrink_probability=0.5, shrink=(0.5, 1), flip_probability=0.5
    )
    view, maps, content_hw = random_view(*picture(), 128, config, np.random.default_rng(seed))
    inside = np.zeros((128, 128), bool)
    inside[: content_hw[0], : content_hw[1]] = True
    bright = view[..., 0] > 120
    assert not maps[0][~inside].any()
    assert (bright[inside] != (maps[0][inside] == 1)).mean() < 0.05


def test_a_view_depends_on_its_generator_alone() -> None:
    config = ViewConfig(whole_probability=0, colour=0.3, grey_probability=0.5, invert_probability=0.5)
    first, second = (random_view(*picture(), 64, config, np.random.default_rng(7))[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    "change",
    [
        {"whole_probability": 0.0},
        {"shrink_probability": 1.0},
        {"flip_probability": 1.0},
        {"colour": 0.5},
        {"invert_probability": 1.0},
    ],
)
def test_every_field_changes_the_view(change: dict[str, float]) -> None:
    plain = random_view(*picture(), 64, ViewConfig(), np.random.default_rng(3))[0]
    changed = random_view(*picture(), 64, ViewConfig(**change), np.random.default_rng(3))[0]
    assert not np.array_equal(plain, changed)


def test_grey_views_have_no_colour() -> None:
    pixels, maps = picture()
    pixels[..., 1] = 90
    view = random_view(pixels, maps, 64, ViewConfig(grey_probability=1), np.random.default_rng(0))[0]
    assert np.ptp(view.astype(int), axis=2).max() <= 1


@pytest.mark.parametrize(
    "field", [{"flip_probability": 2}, {"crop_fraction": (0.5, 0.2)}, {"shrink": (0.0, 1.0)}, {"colour": 1.0}]
)
def test_bad_fields_are_refused_by_name(field: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(field))):
        ViewConfig(**field)
