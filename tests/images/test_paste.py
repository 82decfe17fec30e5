"""Copied regions: pixels and labels move together, what is covered is cut, and nothing unlabelled is ever labelled."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anymask.images.augment import View
from anymask.images.paste import paste_regions


def drawn_view(seed: int, maps: int = 2, size: int = 12) -> View:
    """Pixels whose red channel is a name for (seed, place), labels 0 to 3 in blocks, zero in the padding."""
    rng = np.random.default_rng(seed)
    height, width = int(rng.integers(3, size + 1)), size
    pixels = np.zeros((size, size, 3), np.uint8)
    pixels[:height, :width] = rng.integers(1, 256, (height, width, 3))
    label_maps = [np.zeros((size, size), np.uint16) for _ in range(maps)]
    for label_map in label_maps:
        label_map[:height, :width] = np.kron(rng.integers(0, 4, (4, 4)), np.ones((3, 3)))[:height, :width]
    return pixels, label_maps, (height, width)


pairs = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 3)), max_size=4)


@given(st.integers(0, 99), st.integers(100, 199), pairs)
def test_every_pixel_is_one_of_the_two_and_every_label_lies_on_its_own_pixels(
    seed: int, donor_seed: int, chosen: list[tuple[int, int]]
) -> None:
    view, donor = drawn_view(seed), drawn_view(donor_seed)
    pixels, maps, content_hw = paste_regions(view, donor, chosen)
    height, width = content_hw
    inside = np.zeros((12, 12), bool)
    inside[:height, :width] = True
    regions = [(donor[1][index] == label) & inside for index, label in dict.fromkeys(chosen)]
    covered = np.any([np.zeros((12, 12), bool), *regions], axis=0)
    assert content_hw == view[2]
    np.testing.assert_array_equal(pixels[covered], donor[0][covered])
    np.testing.assert_array_equal(pixels[~covered], view[0][~covered])
    for before, after in zip(view[1], maps, strict=False):
        np.testing.assert_array_equal(after, np.where(covered, 0, before))
    pasted = [label_map == label for label_map in maps[2:] for label in np.unique(label_map) if label > 0]
    assert sorted(mask.tobytes() for mask in pasted) == sorted(one.tobytes() for one in regions if one.any())


def test_a_part_pasted_with_its_whole_leaves_the_whole_whole() -> None:
    whole, part = np.zeros((8, 8), np.uint16), np.zeros((8, 8), np.uint16)
    whole[1:7, 1:7], part[3:5, 3:5] = 1, 1
    black, empty = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint16)
    _, maps, _ = paste_regions((black, [empty], (8, 8)), (black + 9, [whole, part], (8, 8)), [(0, 1), (1, 1)])
    assert [int((label_map == 1).sum()) for label_map in maps] == [0, 36, 4]


def test_nothing_chosen_changes_nothing() -> None:
    view = drawn_view(0)
    pixels, maps, _ = paste_regions(view, drawn_view(1), [])
    np.testing.assert_array_equal(pixels, view[0])
    assert len(maps) == 2
