"""Simulated clicks and boxes: where they may be, and how often."""

import numpy as np
import pytest

from anymask.errors import ConfigError
from anymask.prompts.clicks import most_interior_point
from anymask.prompts.simulate import ClickConfig, error_click, random_box, random_point
from anymask.prompts.types import BACKGROUND, FOREGROUND


def block(y0: int, y1: int, x0: int, x1: int, size: int = 80) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_points_are_uniform_in_the_region() -> None:
    mask, rng = block(10, 12, 20, 22), np.random.default_rng(0)
    counts = np.zeros((80, 80))
    for _ in range(4000):
        x, y = random_point(mask, ClickConfig(), rng)
        counts[y, x] += 1
    assert counts[~mask].sum() == 0
    assert 850 < counts[mask].min() <= counts[mask].max() < 1150


def test_a_centre_click_is_the_most_interior_pixel() -> None:
    mask = block(10, 31, 20, 41)
    x, y = random_point(mask, ClickConfig(centre_probability=1), np.random.default_rng(0))
    assert (x + 0.5, y + 0.5) == most_interior_point(mask) == (30.5, 20.5)


@pytest.mark.parametrize(("noise", "spread"), [("gaussian", 0.1), ("uniform", 0.1 / np.sqrt(3))])
def test_box_noise_has_the_stated_spread_and_limit(noise: str, spread: float) -> None:
    mask, rng = block(200, 300, 250, 300, 600), np.random.default_rng(0)
    config = ClickConfig(box_noise=noise, box_noise_max_px=1000)
    shifts = np.stack([random_box(mask, config, rng) for _ in range(3000)]) - [250, 200, 300, 300]
    np.testing.assert_allclose(shifts.std(0), np.array([50, 100, 50, 100]) * spread, rtol=0.06)
    limited = np.stack([random_box(mask, ClickConfig(box_noise_max_px=3), rng) for _ in range(300)])
    assert np.abs(limited - [250, 200, 300, 300]).max() <= 3


def test_boxes_stay_in_the_picture_and_never_turn_inside_out() -> None:
    rng = np.random.default_rng(1)
    for mask in (block(0, 80, 0, 80), block(40, 41, 0, 80), block(79, 80, 79, 80)):
        for _ in range(200):
            x0, y0, x1, y1 = random_box(mask, ClickConfig(box_noise_share=0.5), rng)
            assert 0 <= x0 < x1 <= 80
            assert 0 <= y0 < y1 <= 80


def test_error_clicks_are_uniform_over_both_kinds_of_error() -> None:
    target, predicted, rng = block(10, 20, 10, 20), block(10, 20, 13, 24), np.random.default_rng(0)
    labels = []
    for _ in range(1000):
        click = error_click(predicted, target, ClickConfig(), rng)
        assert click is not None
        (x, y), label = click
        assert predicted[y, x] != target[y, x]
        assert label == (FOREGROUND if target[y, x] else BACKGROUND)
        labels.append(label)
    assert 0.35 < np.mean(labels) < 0.51  # 3 columns missed, 4 too many


def test_a_centred_error_click_mends_the_deeper_error() -> None:
    target, predicted = block(10, 30, 10, 30), block(10, 30, 25, 30)
    click = error_click(predicted, target, ClickConfig(centre_probability=1), np.random.default_rng(0))
    assert click == ((17, 17), FOREGROUND)


def test_no_error_gives_no_click() -> None:
    mask = block(1, 9, 1, 9)
    assert error_click(mask, mask, ClickConfig(), np.random.default_rng(0)) is None


@pytest.mark.parametrize("field", [{"box_probability": 2.0}, {"centre_probability": -1.0}, {"box_noise_share": -0.1}])
def test_bad_fields_are_refused_by_name(field: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(field))):
        ClickConfig(**field)
