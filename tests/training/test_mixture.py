"""The order of samples: shares as asked, nothing lost or repeated, and any place found without the ones before it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anymask.errors import ConfigError
from anymask.training import mixture
from anymask.training.mixture import BLOCK, Mixture, SetWeight, mix_sets

sources_and_weights = st.lists(
    st.tuples(st.integers(1, 9), st.floats(0.05, 20)), min_size=1, max_size=4
)  # number of records, weight


def mixed(drawn: list[tuple[int, float]], seed: int = 0) -> Mixture:
    names = [f"set{index}" for index, (count, _) in enumerate(drawn) for _ in range(count)]
    weights = [SetWeight(set_name=f"set{index}", weight=weight) for index, (_, weight) in enumerate(drawn)]
    return mix_sets(names, weights, seed)


@given(sources_and_weights, st.integers(0, 5), st.integers(0, 3 * BLOCK))
def test_every_source_is_walked_through_permutation_by_permutation_across_blocks(
    drawn: list[tuple[int, float]], seed: int, start: int
) -> None:
    whole = mixed(drawn, seed)
    seen: dict[int, list[int]] = {}
    first_turn: dict[int, int] = {}
    for sample in range(start, start + 300):
        source, turn = whole._turn(sample)
        first_turn.setdefault(source, turn)
        assert turn == first_turn[source] + len(seen.setdefault(source, []))
        seen[source].append(whole.at(sample))
    for source, records in seen.items():
        members = sorted(whole.sources[source])
        lost = -first_turn[source] % len(members)  # samples to the next epoch's begin
        for begin in range(lost, len(records) - len(members) + 1, len(members)):
            assert sorted(records[begin : begin + len(members)]) == members


@given(sources_and_weights)
def test_shares_of_a_block_are_those_asked_for_to_one_sample(drawn: list[tuple[int, float]]) -> None:
    whole = mixed(drawn)
    found = np.bincount([whole._turn(sample)[0] for sample in range(BLOCK)], minlength=len(drawn))
    total = sum(weight for _, weight in drawn)
    assert np.abs(found - [BLOCK * weight / total for _, weight in drawn]).max() <= 1


def test_shares_hold_long_before_a_block_is_full() -> None:
    whole = mixed([(50, 3.0), (5, 1.0)])
    found = np.mean([whole.at(sample) < 50 for sample in range(1000)])
    assert found == pytest.approx(0.75, abs=0.05)


@given(sources_and_weights, st.lists(st.integers(0, 10 * BLOCK), min_size=1, max_size=20))
def test_a_sample_is_the_same_whatever_was_asked_before(drawn: list[tuple[int, float]], samples: list[int]) -> None:
    used = mixed(drawn, 3)
    assert [used.at(sample) for sample in samples] == [mixed(drawn, 3).at(sample) for sample in samples]


def test_threads_that_ask_across_blocks_and_epochs_get_what_one_alone_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixture, "BLOCK", 16)
    shared, alone = (mixed([(3, 1.0), (5, 2.0)]) for _ in range(2))
    samples = list(np.random.default_rng(0).integers(0, 400, 2000))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(shared.at, samples)) == [alone.at(sample) for sample in samples]


def test_without_weights_the_order_is_the_permutation_of_seed_and_epoch() -> None:
    plain = mix_sets(["a", "b", "a", "c", "b"], (), 7)
    expected = [np.random.default_rng((7, epoch)).permutation(5).tolist() for epoch in range(3)]
    assert [plain.at(sample) for sample in range(15)] == [*chain(*expected)]


def test_another_seed_is_another_order_of_sources_and_records() -> None:
    first, second = (mixed([(20, 1.0), (20, 1.0)], seed) for seed in (0, 1))
    assert [first._turn(i)[0] for i in range(40)] != [second._turn(i)[0] for i in range(40)]
    assert [first.at(i) for i in range(40)] != [second.at(i) for i in range(40)]


def test_sets_without_a_weight_are_one_source_of_weight_one() -> None:
    whole = mix_sets(["mine", "a", "b", "a", "b", "b"], [SetWeight(set_name="mine", weight=3)], 0)
    assert [source.tolist() for source in whole.sources] == [[0], [1, 2, 3, 4, 5]]
    assert whole.shares.tolist() == [0.75, 0.25]


def test_records_are_drawn_by_the_shares_of_their_sources() -> None:
    whole, rng = mixed([(1, 9.0), (9, 1.0)]), np.random.default_rng(0)
    drawn = np.bincount([whole.draw(rng) for _ in range(2000)], minlength=10)
    assert drawn[0] / 2000 == pytest.approx(0.9, abs=0.03)
    assert (drawn[1:] > 0).all()


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_refused_with_the_set(weight: float) -> None:
    with pytest.raises(ConfigError, match="'cups' must be above 0"):
        SetWeight(set_name="cups", weight=weight)


def test_a_weight_of_a_set_that_is_not_there_or_never_comes_is_refused() -> None:
    with pytest.raises(ConfigError, match="weight for set 'cusp', but the data has only cats, cups"):
        mix_sets(["cups", "cats"], [SetWeight(set_name="cusp", weight=1)], 0)
    with pytest.raises(ConfigError, match="at least 1/10000"):
        mix_sets(["cups", "cats"], [SetWeight(set_name="cups", weight=1e-6)], 0)
