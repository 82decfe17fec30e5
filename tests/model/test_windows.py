import numpy as np
import pytest

from anymask.model.windows import WindowGroup, whole_grid, window_layout

GRIDS = [(64, 64), (14, 14), (4, 4), (30, 28), (28, 30), (15, 31), (1, 40)]


@pytest.mark.parametrize("grid_hw", GRIDS)
def test_window_order_holds_every_token_once_and_can_be_undone(grid_hw: tuple[int, int]) -> None:
    layout = window_layout(grid_hw, 14)
    tokens = np.arange(grid_hw[0] * grid_hw[1])
    np.testing.assert_array_equal(np.sort(layout.order), tokens)
    np.testing.assert_array_equal(tokens[layout.order][layout.back], tokens)


@pytest.mark.parametrize("grid_hw", GRIDS)
def test_groups_follow_each_other_and_cover_the_grid(grid_hw: tuple[int, int]) -> None:
    groups = window_layout(grid_hw, 14).groups
    edges = [groups[0].start, *(group.stop for group in groups)]
    assert edges[0] == 0
    assert edges[-1] == grid_hw[0] * grid_hw[1]
    assert [group.start for group in groups] == edges[:-1]
    assert sum(group.count for group in groups) == -(-grid_hw[0] // 14) * -(-grid_hw[1] // 14)


@pytest.mark.parametrize("grid_hw", GRIDS)
def test_tokens_of_one_window_are_its_rows_in_the_grid(grid_hw: tuple[int, int]) -> None:
    layout = window_layout(grid_hw, 14)
    for group in layout.groups:
        for window in layout.order[group.start : group.stop].reshape(group.count, *group.hw):
            rows, columns = np.divmod(window, grid_hw[1])
            assert len(np.unique(np.stack((rows // 14, columns // 14)).reshape(2, -1), axis=1).T) == 1
            np.testing.assert_array_equal(rows - rows[0, 0], np.indices(group.hw)[0])
            np.testing.assert_array_equal(columns - columns[0, 0], np.indices(group.hw)[1])


def test_only_windows_that_stick_out_of_the_grid_are_padded() -> None:
    assert [group.is_padded for group in window_layout((64, 64), 14).groups] == [False, True, True, True]
    assert [group.is_padded for group in window_layout((28, 14), 14).groups] == [False]
    assert whole_grid((5, 3)) == (WindowGroup(0, 1, (5, 3), (5, 3)),)
    assert not whole_grid((5, 3))[0].is_padded
