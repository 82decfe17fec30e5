import numpy as np
import pytest

from anymask.errors import InputError
from anymask.figures.sheets import contact_sheet

RED = np.zeros((30, 60, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
BLUE = np.zeros((60, 30, 3), np.uint8) + np.array([0, 0, 255], np.uint8)


def test_tiles_keep_order_and_proportions() -> None:
    sheet = contact_sheet([RED, BLUE], columns=2, tile_px=100).astype(int)
    is_red = (sheet == [255, 0, 0]).all(axis=2)
    is_blue = (sheet == [0, 0, 255]).all(axis=2)
    assert np.ptp(np.flatnonzero(is_red.any(axis=0))) + 1 == 100
    assert np.ptp(np.flatnonzero(is_red.any(axis=1))) + 1 == 50
    assert np.ptp(np.flatnonzero(is_blue.any(axis=1))) + 1 == 100
    assert np.flatnonzero(is_red.any(axis=0)).max() < np.flatnonzero(is_blue.any(axis=0)).min()


def test_without_columns_the_sheet_has_as_many_columns_as_rows() -> None:
    sheet = contact_sheet([RED[:, :30]] * 9, tile_px=50)
    assert sheet.shape[0] == sheet.shape[1]


def test_a_title_adds_ink_under_its_own_tile_only() -> None:
    bare = contact_sheet([RED, RED], ["", ""], columns=2, tile_px=100)
    titled = contact_sheet([RED, RED], ["", "IoU .91"], columns=2, tile_px=100)
    changed = (bare != titled).any(axis=2)
    columns = np.flatnonzero(changed.any(axis=0))
    assert changed.any()
    assert columns.min() > 108
    assert np.flatnonzero(changed.any(axis=1)).min() > 50


def test_a_long_title_is_cut_at_its_tile() -> None:
    titled = contact_sheet([RED, RED], ["a very long name " * 20, ""], columns=2, tile_px=100)
    assert not (titled[112:, 112:] < 100).any()


@pytest.mark.parametrize(("tiles", "titles"), [([], []), ([RED], ["a", "b"])])
def test_no_tiles_or_a_wrong_number_of_titles_is_refused(tiles: list[np.ndarray], titles: list[str]) -> None:
    with pytest.raises(InputError, match="give"):
        contact_sheet(tiles, titles)


def test_a_row_is_as_high_as_its_highest_tile() -> None:
    flat = contact_sheet([RED, RED], columns=2, tile_px=100)
    mixed = contact_sheet([RED, BLUE], columns=2, tile_px=100)
    assert mixed.shape[0] - flat.shape[0] == 50
