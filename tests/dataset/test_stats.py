"""The properties of a few masks drawn by hand, and of many in parts."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from anymask.dataset.labelled_picture import LabelledPicture
from anymask.dataset.stats import Properties, StatsConfig, group_names, stratum_names
from anymask.errors import ConfigError
from anymask.masks.sets import set_from_masks
from tests.dataset.drawn_pictures import drawn_picture


def picture_of(*masks: np.ndarray) -> LabelledPicture:
    return LabelledPicture(name="x", masks=set_from_masks(np.stack(masks)))


def filled(rows: slice, columns: slice, size_hw: tuple[int, int] = (40, 80)) -> np.ndarray:
    mask = np.zeros(size_hw, np.bool_)
    mask[rows, columns] = True
    return mask


def test_centres_sizes_and_concavity_are_those_of_the_drawn_masks() -> None:
    found = Properties(StatsConfig(density_cells=4, bins=10))
    corner = filled(slice(0, 10), slice(0, 20))  # a sixteenth of the picture, in the first corner
    hollow = filled(slice(0, 40), slice(0, 80))
    hollow[10:30, 20:60] = False
    found.add(picture_of(corner, hollow, filled(slice(0, 0), slice(0, 0))))
    figures = found.figures()
    assert (figures["masks"], figures["empty_masks"], figures["masks_a_picture"]) == (2, 1, 2)
    assert found.centres[0, 0] == 1
    assert found.centres[2, 2] == 1
    assert figures["share_of_centres_in_corners"] == 0.5
    assert figures["mean_relative_size"] == pytest.approx((0.25 + np.sqrt(0.75)) / 2)
    assert figures["concavity_by_size"]["0.16 to 0.32"] == pytest.approx(0)
    assert figures["concavity_by_size"]["0.32 to 1"] == pytest.approx(0.25)
    assert figures["mean_concavity_stratified"] == pytest.approx(0.125)
    assert sum(figures["relative_size"]) == pytest.approx(1)
    assert figures["pictures_by_shortest_side"] == {"32 px": 1}


def test_pictures_are_grouped_as_in_the_paper() -> None:
    found = Properties()
    for count in (0, 1, 10, 11, 50):
        found.add(picture_of(*[filled(slice(0, 3), slice(0, 3))] * max(1, count)) if count else empty())
    assert found.figures()["pictures_by_masks"] == dict(zip(group_names(), (1, 2, 2, 0, 0, 0), strict=True))
    assert found.most_masks == 50


def empty() -> LabelledPicture:
    picture = drawn_picture(1)
    return replace(picture, masks=picture.masks.take(np.zeros(0, np.int64)))


def test_parts_add_up_to_the_whole() -> None:
    pictures = [drawn_picture(number, masks=6) for number in range(12)]
    whole, left, right = Properties(), Properties(), Properties()
    for index, picture in enumerate(pictures):
        whole.add(picture)
        (left if index % 3 else right).add(picture)
    left.add_all(right)
    a, b = whole.figures(), left.figures()
    for key in a:
        if isinstance(a[key], float):
            assert a[key] == pytest.approx(b[key])
        elif key not in ("concavity_by_size", "concavity_stratified"):
            assert a[key] == b[key]


def test_nothing_gives_no_means_and_no_error() -> None:
    figures = Properties().figures()
    assert figures["masks_a_picture"] is None
    assert figures["mean_concavity_stratified"] is None
    assert list(figures["concavity_by_size"]) == stratum_names()


def test_memory_does_not_grow_with_the_pictures() -> None:
    found, picture = Properties(), drawn_picture(3, masks=8)
    found.add(picture)
    tracemalloc.start()
    for _ in range(60):
        found.add(picture)
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert found.pictures == 61
    assert grown < 40_000  # sixty pictures of eight masks would be several times as much


@pytest.mark.parametrize("field", ["density_cells", "bins"])
def test_bad_settings_are_named(field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        StatsConfig(**{field: 1})
