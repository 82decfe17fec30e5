from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anymask.errors import MaskError
from anymask.masks import regions
from tests.masks.drawn import Mask, blobs, masks
from tests.public_sam import import_public_sam

public = import_public_sam().utils.amg


@given(masks(), st.floats(0, 30), st.sampled_from(["holes", "islands"]))
def test_small_regions_are_removed_as_by_the_public_code(mask: Mask, area_px: float, mode: str) -> None:
    expected, expected_changed = public.remove_small_regions(mask, area_px, mode)
    found, changed = regions.remove_small_regions(mask, area_px, mode)
    assert np.array_equal(found, expected)
    assert changed == expected_changed
    assert type(changed) is bool
    assert found.dtype == np.bool_


@pytest.mark.parametrize("seed", range(3))
def test_larger_masks_are_cleaned_as_by_the_public_code(seed: int) -> None:
    speckled = blobs(seed, (120, 160)) ^ (np.random.default_rng(seed).random((120, 160)) < 0.05)
    filled, any_hole = public.remove_small_regions(speckled, 30, "holes")
    cleaned, any_island = public.remove_small_regions(filled, 30, "islands")
    found, changed = regions.fill_and_clean(speckled, 30)
    assert np.array_equal(found, cleaned)
    assert changed == (any_hole or any_island)
    assert changed


def test_a_region_of_exactly_the_area_stays() -> None:
    mask = np.zeros((5, 9), bool)
    mask[1, 1:4] = mask[3, 5:7] = True
    found, changed = regions.remove_small_regions(mask, 3, "islands")
    assert changed
    assert found.sum() == 3
    assert not regions.remove_small_regions(mask, 2, "islands")[1]


def test_parts_that_touch_at_a_corner_are_one() -> None:
    diagonal = np.eye(4, dtype=bool)
    assert regions.remove_small_regions(diagonal, 4, "islands")[1] is False
    assert regions.connected_components(diagonal)[1].tolist() == [4]
    assert regions.connected_components(diagonal, connectivity=4)[1].tolist() == [1, 1, 1, 1]


def test_when_every_island_is_small_the_largest_stays() -> None:
    mask = np.array([[1, 0, 1, 1, 0, 1]], bool)
    assert regions.remove_small_regions(mask, 100, "islands")[0].astype(int).tolist() == [[0, 0, 1, 1, 0, 0]]


def test_the_mask_given_is_never_written_to() -> None:
    mask = blobs(1, (30, 30)) ^ (np.random.default_rng(1).random((30, 30)) < 0.1)
    before = mask.copy()
    regions.fill_and_clean(mask, 20)
    assert np.array_equal(mask, before)


@given(masks(), st.sampled_from([4, 8]))
def test_components_split_the_foreground(mask: Mask, connectivity: int) -> None:
    labels, areas = regions.connected_components(mask, connectivity)
    assert np.array_equal(labels > 0, mask)
    assert np.array_equal(np.bincount(labels.ravel(), minlength=len(areas) + 1)[1:], areas)


@given(masks())
def test_the_largest_region_is_the_largest_component(mask: Mask) -> None:
    assert regions.largest_region_area(mask) == max(regions.connected_components(mask)[1].tolist(), default=0)


def test_another_mode_is_refused() -> None:
    with pytest.raises(MaskError, match="mode is 'both', expected 'holes' or 'islands'"):
        regions.remove_small_regions(np.ones((2, 2), bool), 1, "both")
