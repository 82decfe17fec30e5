"""Random views: pixels and labels move together."""

from dataclasses import replace

import numpy as np
import pytest

from anymask.errors import ConfigError
from anymask.images.augment import SquareConfig, ViewConfig, _square_crop, random_square, random_view


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


@pytest.mark.parametrize("seed", range(12))
def test_jitter_keeps_labels_on_their_pixels_and_invents_none(seed: int) -> None:
    config = ViewConfig(jitter_probability=1, flip_probability=0.5)
    view, maps, (height, width) = random_view(*picture(), 128, config, np.random.default_rng(seed))
    assert 1 <= height <= 128
    assert 1 <= width <= 128
    assert set(np.unique(maps[0])) <= {0, 1}
    outside = np.ones((128, 128), bool)
    outside[:height, :width] = False
    assert not maps[0][outside].any()
    assert not view[outside].any()
    bright = view[:height, :width, 0] > 120
    assert (bright != (maps[0][:height, :width] == 1)).mean() < 0.08


@pytest.mark.parametrize(
    ("factor", "content_hw", "area_px"),
    [(0.5, (43, 64), 455), (1.0, (85, 128), 1820), (0.1, (9, 13), 18)],
)
def test_jitter_below_one_shows_the_whole_picture_smaller(
    factor: float, content_hw: tuple[int, int], area_px: int
) -> None:
    config = ViewConfig(jitter_probability=1, jitter=(factor, factor))
    _, maps, found = random_view(*picture(), 128, config, np.random.default_rng(0))
    assert found == content_hw
    assert int(maps[0].sum()) == pytest.approx(area_px, rel=0.15)


def test_jitter_above_one_cuts_the_enlarged_picture_to_the_input_at_a_random_place() -> None:
    config = ViewConfig(jitter_probability=1, jitter=(2.0, 2.0))
    views = [random_view(*picture(), 128, config, np.random.default_rng(seed)) for seed in range(6)]
    assert {content_hw for _, _, content_hw in views} == {(128, 128)}  # of 171 x 256
    assert len({view.tobytes() for view, _, _ in views}) == 6
    assert max(int(maps[0].sum()) for _, maps, _ in views) > 2 * 43**2  # enlarged, not shrunk to fit


def test_jitter_that_does_not_come_changes_nothing_of_what_else_is_drawn() -> None:
    config = ViewConfig(whole_probability=0.3, shrink_probability=0.5, flip_probability=0.5, colour=0.2)
    rng = np.random.default_rng(5)
    random_view(*picture(), 64, config, rng)
    after = rng.random()
    rng = np.random.default_rng(5)
    random_view(*picture(), 64, replace(config, jitter=(0.2, 1.5)), rng)
    assert rng.random() == after


def test_a_view_depends_on_its_generator_alone() -> None:
    config = ViewConfig(whole_probability=0, colour=0.3, grey_probability=0.5, invert_probability=0.5)
    first, second = (random_view(*picture(), 64, config, np.random.default_rng(7))[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    "change",
    [
        {"whole_probability": 0.0},
        {"shrink_probability": 1.0},
        {"jitter_probability": 1.0},
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
    "field",
    [
        {"flip_probability": 2},
        {"crop_fraction": (0.5, 0.2)},
        {"shrink": (0.0, 1.0)},
        {"colour": 1.0},
        {"jitter": (0.0, 1.0)},
        {"jitter": (2.0, 1.0)},
        {"jitter_probability": -1},
    ],
)
def test_bad_fields_are_refused_by_name(field: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(field))):
        ViewConfig(**field)


@pytest.mark.parametrize("seed", range(5))
def test_a_square_view_is_filled_with_picture(seed: int) -> None:
    pixels = np.full((50, 90, 3), 77, np.uint8)
    view = random_square(pixels, 64, SquareConfig(), np.random.default_rng(seed))
    assert view.shape == (64, 64, 3)
    assert view.dtype == np.uint8
    assert (view == 77).all()


def test_square_crops_have_the_area_and_aspect_asked_for() -> None:
    config = SquareConfig(area=(0.2, 0.5), aspect=(0.5, 2.0))
    rng = np.random.default_rng(0)
    crops = np.array([_square_crop(200, 300, config, rng) for _ in range(300)])
    left, top, width, height = crops.T
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (left + width <= 300).all()
    assert (top + height <= 200).all()
    areas = width * height / 60_000
    assert 0.19 < areas.min() < 0.25 < 0.42 < areas.max() < 0.51
    assert 0.49 < (width / height).min() < 0.8 < 1.3 < (width / height).max() < 2.02


def test_of_a_strip_the_largest_square_in_the_middle_is_taken() -> None:
    config = SquareConfig(area=(1.0, 1.0), aspect=(1.0, 1.0))
    assert _square_crop(20, 100, config, np.random.default_rng(0)) == (40, 0, 20, 20)
    assert _square_crop(100, 20, config, np.random.default_rng(0)) == (0, 40, 20, 20)


def test_square_views_are_mirrored_as_often_as_asked() -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, :16] = 200
    whole = SquareConfig(area=(1.0, 1.0), aspect=(1.0, 1.0), flip_probability=1.0)
    np.testing.assert_array_equal(random_square(pixels, 32, whole, np.random.default_rng(0)), pixels[:, ::-1])


@pytest.mark.parametrize("field", [{"area": (0.0, 1.0)}, {"aspect": (2.0, 1.0)}, {"flip_probability": 1.5}])
def test_bad_fields_of_square_views_are_refused_by_name(field: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(field))):
        SquareConfig(**field)
