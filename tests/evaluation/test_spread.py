"""Work over several processes, with real processes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from anymask.errors import ConfigError, RunError
from anymask.evaluation.spread import in_order


def square_and_process(offset: int, task: int) -> tuple[int, int]:
    time.sleep(0.02 * (task % 3))  # so that tasks end out of order
    return task * task + offset, os.getpid()


def die_at_three(_: None, task: int) -> int:
    if task == 3:
        os._exit(9)
    return task


def fail_at_three(_: None, task: int) -> int:
    if task == 3:
        raise ValueError("three")
    return task


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_tasks_and_few_tasks_are_taken_ahead(workers: int) -> None:
    taken = []

    def tasks() -> Iterator[int]:
        for task in range(12):
            taken.append(task)
            yield task

    processes = set()
    for done, (task, (result, process)) in enumerate(in_order(square_and_process, 5, tasks(), workers)):
        assert (task, result) == (done, done * done + 5)
        assert len(taken) <= done + 4
        processes.add(process)
    assert (processes == {os.getpid()}) is (workers == 1)
    assert len(taken) == 12


def test_a_worker_that_dies_ends_the_run_with_what_to_do() -> None:
    with pytest.raises(RunError, match="run again to go on"):
        list(in_order(die_at_three, None, range(6), 2))


def test_an_error_of_the_work_reaches_the_caller() -> None:
    with pytest.raises(ValueError, match="three"):
        list(in_order(fail_at_three, None, range(6)))


def test_no_worker_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        list(in_order(square_and_process, 0, [1], 0))
