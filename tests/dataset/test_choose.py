from __future__ import annotations

import pytest

from anymask.dataset.choose import part_of, place_of, sample_names
from anymask.errors import ConfigError

NAMES = [f"sa1b/sa_{n}" for n in range(2000)]


def test_parts_have_about_their_share_and_every_picture_one() -> None:
    parts = {"train": 0.7, "val": 0.2, "test": 0.1}
    counts = {part: sum(part_of(name, parts, 0) == part for name in NAMES) for part in parts}
    assert sum(counts.values()) == len(NAMES)
    for part, share in parts.items():
        assert abs(counts[part] / len(NAMES) - share) < 0.04


def test_a_sample_is_the_same_in_any_order_and_grows_with_the_dataset() -> None:
    drawn = sample_names(NAMES, 100, seed=1)
    assert drawn == sample_names(reversed(NAMES), 100, seed=1)
    assert drawn != sample_names(NAMES, 100, seed=2)
    assert len(drawn & sample_names(NAMES + [f"new/{n}" for n in range(200)], 100, seed=1)) > 80
    assert sample_names(NAMES[:3], 100, seed=1) == set(NAMES[:3])


def test_places_are_even() -> None:
    places = [place_of(name, 0) for name in NAMES]
    assert 0 <= min(places) < max(places) < 1
    assert abs(sum(places) / len(places) - 0.5) < 0.03


@pytest.mark.parametrize("parts", [{"a": 1.0}, {"a": 0.5, "b": 0.4}, {"a": 1.5, "b": -0.5}])
def test_shares_that_do_not_add_up_are_refused(parts: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="add up to 1"):
        part_of("x", parts, 0)
    with pytest.raises(ConfigError, match="sample of 0"):
        sample_names(NAMES, 0, 0)
