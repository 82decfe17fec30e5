"""Made ahead or not, the answer is the same, and an error reaches the one who asks."""

import threading

import pytest

from anymask.training.ahead import Ahead


def test_what_follows_is_made_once_and_before_it_is_asked_for() -> None:
    made: list[int] = []
    begun = threading.Event()

    def square(key: int) -> int:
        made.append(key)
        if key == 3:
            begun.set()
        return key * key

    ahead = Ahead(square)
    assert ahead.get([2], [3]) == [4]
    assert begun.wait(30)
    assert ahead.get([3]) == [9]
    assert ahead.get([9, 8]) == [81, 64]
    ahead.close()
    assert made == [2, 3, 9, 8]


def test_what_nobody_asks_for_any_more_is_dropped() -> None:
    held, gate, made = threading.Event(), threading.Event(), []

    def make(key: int) -> int:
        if key == 1:
            held.set()
            gate.wait(30)
        made.append(key)
        return key

    ahead = Ahead(make)  # one thread: held by 1, it cannot begin 2 and 3
    assert ahead.get([0], [1, 2, 3]) == [0]
    assert held.wait(30)
    assert ahead.get([]) == []
    gate.set()
    assert ahead.get([4]) == [4]
    ahead.close()
    assert made == [0, 1, 4]


@pytest.mark.parametrize("workers", [1, 3])
def test_answers_do_not_depend_on_workers(workers: int) -> None:
    ahead = Ahead(lambda key: key + 1, workers)
    assert ahead.get(range(5), range(5, 9)) == [1, 2, 3, 4, 5]
    assert ahead.get(range(4, 9)) == [5, 6, 7, 8, 9]
    ahead.close()


def test_what_goes_wrong_ahead_is_raised_when_it_is_asked_for() -> None:
    ahead = Ahead(lambda key: 1 // key)
    assert ahead.get([1], [0]) == [1]
    with pytest.raises(ZeroDivisionError):
        ahead.get([0])
    ahead.close()
