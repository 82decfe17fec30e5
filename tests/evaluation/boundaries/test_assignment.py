"""The assignment under change: after any additions and removals it is as good as one made at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from anymask.evaluation.boundaries.assignment import State, _compiled, change, new_state

SIDE, BORDER = 14, 3
WIDTH = SIDE + 2 * BORDER
_WINDOW = [(dy, dx) for dy in range(-3, 4) for dx in range(-3, 4) if dy**2 + dx**2 <= 9]
STEPS = np.array([dy * WIDTH + dx for dy, dx in _WINDOW])
COSTS = np.array([round(100 * float(np.hypot(dy, dx))) for dy, dx in _WINDOW])
ALONE = 30_000
NONE = np.zeros(0, np.int64)


def drawn(rng: np.random.Generator, share: float) -> npt.NDArray[np.bool_]:
    """A padded random map, flat."""
    return np.pad(rng.random((SIDE, SIDE)) < share, BORDER).ravel()


def total(state: State) -> tuple[int, int]:
    """How many pairs there are, and what they cost."""
    rows = np.flatnonzero(state.truth_of >= 0)
    partners = state.truth_of[rows]
    assert np.array_equal(state.predicted_of[partners], rows)
    y, x = np.divmod(rows, WIDTH), np.divmod(partners, WIDTH)
    return len(rows), int(np.rint(100 * np.hypot(y[0] - x[0], y[1] - x[1])).sum())


@pytest.mark.parametrize("seed", range(30))
def test_changes_one_after_the_other_end_where_one_step_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = drawn(rng, rng.uniform(0.05, 0.4))
    state, searches, before = new_state(truth, STEPS, COSTS), 0, np.zeros(WIDTH**2, np.bool_)
    for _ in range(8):
        now = drawn(rng, rng.uniform(0, 0.5))
        leaving, coming = np.flatnonzero(before & ~now), np.flatnonzero(now & ~before)
        searches = change(state, searches, leaving, coming, ALONE)
        at_once = new_state(truth, STEPS, COSTS)
        change(at_once, 0, NONE, np.flatnonzero(now), ALONE)
        assert total(state) == total(at_once)
        before = now


def test_potentials_stay_a_proof_of_the_best() -> None:
    rng = np.random.default_rng(1)
    truth = drawn(rng, 0.2)
    state = new_state(truth, STEPS, COSTS)
    before, searches = np.zeros(WIDTH**2, np.bool_), 0
    for share in (0.4, 0.1, 0.3):
        now = drawn(rng, share)
        searches = change(state, searches, np.flatnonzero(before & ~now), np.flatnonzero(now & ~before), ALONE)
        before = now
        assert (state.true_price <= 0).all()
        assert not state.true_price[truth & (state.predicted_of < 0)].any()
        for row in np.flatnonzero(state.truth_of != -2):
            near = slice(state.first[row], state.first[row + 1])
            slack = state.near_cost[near] - state.predicted_price[row] - state.true_price[state.near[near]]
            assert (slack >= 0).all()
            partner = state.truth_of[row]
            assert (slack[state.near[near] == partner] == 0).all()
            assert partner >= 0 or state.predicted_price[row] == ALONE


def test_what_is_near_comes_in_the_order_of_the_window() -> None:
    truth = np.zeros((WIDTH, WIDTH), np.bool_)
    truth[5, 5] = truth[5, 7] = True
    state = new_state(truth.ravel(), np.array([0, 1, -1, 2, -2]), np.array([0, 100, 100, 200, 200]))
    middle = 5 * WIDTH + 6
    near = slice(state.first[middle], state.first[middle + 1])
    assert sorted(state.near[near]) == [5 * WIDTH + 5, 5 * WIDTH + 7]
    assert state.near_cost[near].tolist() == [100, 100]


def test_where_machine_code_cannot_be_kept_it_is_made_anew() -> None:
    names: dict[str, Any] = {}
    exec("def twice(number): return 2 * number", names)  # of no file, so there is no place beside it
    assert _compiled(names["twice"])(21) == 42
