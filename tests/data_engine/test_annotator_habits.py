import numpy as np
import pytest

from anymask.data_engine.annotator_habits import HabitsConfig, Hand
from anymask.errors import ConfigError
from anymask.masks.overlap import mask_iou


def hand(**habits: float) -> Hand:
    return Hand(HabitsConfig(**habits), np.random.default_rng(0))


def disc(size: int = 80, radius: int = 25) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    return (y - size / 2) ** 2 + (x - size / 2) ** 2 < radius**2


def test_a_brushed_mask_strays_a_little_and_takes_as_long_as_its_outline_is() -> None:
    slow, fast = hand(time_spread=0.0, brush_px_per_s=10.0), hand(time_spread=0.0, brush_px_per_s=1000.0)
    nothing = np.zeros_like(disc())
    brushed = slow.brush(disc(), nothing)
    assert 0.85 < mask_iou(brushed, disc())[0, 0] < 1
    fast.brush(disc(), nothing)
    assert slow.seconds > fast.seconds + 10 > slow.habits.brush_s
    assert (hand(brush_noise_px=0.0).brush(disc(), nothing) == disc()).all()


def test_what_is_nearly_right_is_brushed_sooner() -> None:
    begun = disc()
    begun[:20] = False
    whole, rest = hand(time_spread=0.0), hand(time_spread=0.0)
    whole.brush(disc(), np.zeros_like(begun))
    rest.brush(disc(), begun)
    assert rest.habits.brush_s < rest.seconds < whole.seconds


def test_a_mask_of_one_pixel_is_never_brushed_away() -> None:
    dot = np.zeros((20, 20), bool)
    dot[3, 3] = True
    assert all(
        Hand(HabitsConfig(brush_noise_px=3.0), np.random.default_rng(n)).brush(dot, ~dot).any() for n in range(20)
    )


def test_clicks_stray_by_the_noise_and_stay_on_the_picture() -> None:
    exact = hand(click_noise_px=0.0)
    assert exact.aim((7, 3), (10, 20)) == (7.5, 3.5)
    wild = hand(click_noise_px=50.0)
    landed = np.array([wild.aim((7, 3), (10, 20)) for _ in range(100)])
    assert (landed >= 0).all()
    assert (landed <= [19, 9]).all()
    assert landed.std() > 1


def test_times_vary_around_what_they_are_said_to_be() -> None:
    worker = hand(time_spread=0.3)
    times = []
    for _ in range(400):
        before = worker.seconds
        worker.spend(2.0)
        times.append(worker.seconds - before)
    assert abs(float(np.median(times)) - 2.0) < 0.1
    assert 0.25 < float(np.std(np.log(times))) < 0.35


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("good_enough_iou", 1.5),
        ("fix_from_iou", -0.1),
        ("miss_probability", 2.0),
        ("wrong_accept_probability", -1.0),
        ("most_clicks", 0),
        ("vain_clicks", 0),
        ("most_masks", 0),
        ("min_area_px", 0),
        ("click_s", -1.0),
        ("brush_px_per_s", 0.0),
    ],
)
def test_values_that_make_no_sense_are_named(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"HabitsConfig.{field}"):
        HabitsConfig(**{field: value})
