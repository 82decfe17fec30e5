"""Matching lines: the best assignment, as an exact and slow solver finds it, and the benchmark's counts."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import linear_sum_assignment

from anymask.dataset.read import read_source
from anymask.errors import InputError
from anymask.evaluation.boundaries.matching import (
    TOLERANCE,
    above_thresholds,
    count_matches,
    match_lines,
    thresholds,
)
from anymask.evaluation.boundaries.scores import score
from anymask.masks.borders import label_borders, thin

Mask = npt.NDArray[np.bool_]


def slow_match(predicted: Mask, truth: Mask, tolerance: float) -> tuple[Mask, int, int]:
    """The matched predicted pixels, pairs and cost of the benchmark's problem, solved as one dense assignment."""
    rows, columns = np.argwhere(predicted), np.argwhere(truth)
    distance = np.sqrt(((rows[:, None] - columns[None]) ** 2).sum(axis=-1))
    far = 10.0**7
    costs = np.where(distance <= tolerance * np.hypot(*truth.shape), np.rint(100 * distance), far)
    i, j = linear_sum_assignment(costs)
    paired = costs[i, j] < far
    matched = np.zeros_like(predicted)
    matched[tuple(rows[i[paired]].T)] = True
    return matched, int(paired.sum()), int(costs[i, j][paired].sum())


@pytest.mark.parametrize("seed", range(40))
def test_the_assignment_is_the_best_there_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size, tolerance = rng.integers(6, 32, 2), rng.uniform(0.02, 0.2)
    predicted, truth = (rng.random(size) < rng.uniform(0.02, 0.5) for _ in range(2))
    found = match_lines(predicted, truth, tolerance=tolerance)
    _, pairs, cost = slow_match(predicted, truth, tolerance)
    assert (found.predicted.sum(), found.truth.sum(), found.cost) == (pairs, pairs, cost)
    assert not (found.predicted & ~predicted).any()
    assert not (found.truth & ~truth).any()


@pytest.mark.slow
def test_scores_of_real_pictures_agree_with_the_exact_solver(data_dir) -> None:
    records = [one for one in read_source(data_dir / "train-00.tar") if one.set_name == "bsds500"][:4]
    ours, slow = [], []
    for record in records:
        cut = (slice(60, 150), slice(100, 220))
        truths = [label_borders(labels[cut]) for labels in record.label_maps()]
        grey = record.pixels()[cut].mean(axis=2)
        strength = np.hypot(*np.gradient(grey)) / 40
        levels = above_thresholds(strength, 9)
        ours.append(count_matches(levels, truths, tolerance=0.03))
        slow.append(slow_counts(levels, truths, 0.03))
    ours_scores, slow_scores = score(ours), score(slow)
    for name in ("ods", "ois", "ap", "r50"):
        assert getattr(ours_scores, name) == pytest.approx(getattr(slow_scores, name), abs=1e-3)


def slow_counts(levels, truths, tolerance):
    """`count_matches`, one dense assignment a level and annotator."""
    from anymask.evaluation.boundaries.matching import Counts

    maps = [thin(level) for level in levels]
    matches = [[slow_match(one, truth, tolerance) for truth in truths] for one in maps]
    return Counts(
        np.array([sum(pairs for _, pairs, _ in row) for row in matches]),
        sum(int(truth.sum()) for truth in truths),
        np.array([np.any([matched for matched, _, _ in row], axis=0).sum() for row in matches]),
        np.array([one.sum() for one in maps]),
    )


def test_counts_at_many_levels_are_those_of_each_level_alone() -> None:
    rng = np.random.default_rng(7)
    strength, truths = rng.random((40, 50)), [rng.random((40, 50)) < 0.1 for _ in range(3)]
    levels = above_thresholds(strength, 12)
    together = count_matches(levels, truths, tolerance=0.05)
    alone = [count_matches([level], truths, tolerance=0.05) for level in levels]
    assert together.matched_truth.tolist() == [int(one.matched_truth[0]) for one in alone]
    assert together.predicted.tolist() == [int(one.predicted[0]) for one in alone]
    # Which of several equally near pixels is matched may differ, and with it how many annotators share one: in noise
    # as dense as this a little, on real pictures by one pixel in thousands.
    difference = together.matched_predicted - [int(one.matched_predicted[0]) for one in alone]
    assert np.abs(difference).max() <= 0.03 * together.predicted.max()


def test_a_perfect_map_is_matched_whole_and_a_far_one_not_at_all() -> None:
    truth = np.zeros((40, 400), np.bool_)
    truth[20, 5:-5] = True
    near, far = np.roll(truth, 3, axis=0), np.roll(truth, 4, axis=0)
    assert np.hypot(*truth.shape) * TOLERANCE == pytest.approx(3.015, abs=0.001)
    assert match_lines(truth, truth).cost == 0
    assert match_lines(near, truth).predicted.sum() == truth.sum()
    assert not match_lines(far, truth).predicted.any()
    counts = count_matches([truth, near, far], [truth, far])
    assert counts.truth == 2 * truth.sum()
    assert counts.matched_predicted.tolist() == [truth.sum(), truth.sum(), truth.sum()]
    assert counts.matched_truth.tolist() == [truth.sum(), 2 * truth.sum(), truth.sum()]


def test_predicted_maps_are_thinned_and_true_ones_are_not() -> None:
    thick = np.zeros((30, 30), np.bool_)
    thick[10:15, 3:27] = True
    counts = count_matches([thick], [thick], tolerance=0.1)
    assert counts.predicted[0] == thin(thick).sum()
    assert counts.truth == thick.sum()


def test_thresholds_are_the_benchmarks() -> None:
    assert thresholds() == pytest.approx(np.arange(1, 100) / 100)
    assert [int(one.sum()) for one in above_thresholds(np.array([[0.2, 0.01, 0.0]]))][:2] == [2, 1]


@pytest.mark.parametrize(
    ("levels", "truths"),
    [([], [np.ones((2, 2), bool)]), ([np.ones((2, 2), bool)], []), ([np.ones((2, 2), bool)], [np.ones((2, 3), bool)])],
)
def test_nothing_to_match_or_other_sizes_are_refused(levels: list[Mask], truths: list[Mask]) -> None:
    with pytest.raises(InputError, match="expected one or more of each, all of one size"):
        count_matches(levels, truths)


def test_counts_at_other_levels_do_not_add() -> None:
    one = count_matches([np.ones((4, 4), bool)], [np.ones((4, 4), bool)])
    two = count_matches([np.ones((4, 4), bool)] * 2, [np.ones((4, 4), bool)])
    assert (one + one).truth == 2 * one.truth
    with pytest.raises(InputError, match="at 1 and at 2 levels"):
        one + two


def test_without_numba_the_message_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['numba'] = None; import numpy as np\n"
        "from anymask.errors import MissingDependencyError\n"
        "from anymask.evaluation.boundaries.matching import match_lines\n"
        "try: match_lines(np.ones((2, 2), bool), np.ones((2, 2), bool))\n"
        "except MissingDependencyError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "needs numba" in said
    assert "pip install 'anymask[eval]'" in said
