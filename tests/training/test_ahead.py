"""Made ahead or not, the answer is the same, and an error reaches the one who asks."""

import threading

import pytest

from anymask.training.ahead import Ahead


def test_the_next_answer_is_made_in_another_thread_and_any_other_in_the_callers() -> None:
    where: dict[int, str] = {}

    def square(key: int) -> int:
        where[key] = threading.current_thread().name
        return key * key

    ahead = Ahead(square)
    assert [ahead.get(2, 3), ahead.get(3, 4), ahead.get(9, None)] == [4, 9, 81]
    ahead.close()
    assert where[3].startswith("ahead")
    assert where[2] == where[9] == threading.current_thread().name


def test_what_goes_wrong_ahead_is_raised_when_it_is_asked_for() -> None:
    ahead = Ahead(lambda key: 1 // key)
    assert ahead.get(1, 0) == 1
    with pytest.raises(ZeroDivisionError):
        ahead.get(0, None)
    ahead.close()
