"""The same work on many pictures, in this process or spread over several, with the same results in the same order."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

import cv2
import torch

from anymask.errors import ConfigError, RunError

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Shared, Task], Result], shared: Shared, tasks: Iterable[Task], workers: int = 1
) -> Iterator[tuple[Task, Result]]:
    """Each task with `work(shared, task)`, in the order of the tasks.

    With several workers `work` must be a function of a module, and `shared` (sent once a process) and the tasks must
    pickle. At most two tasks a worker are in memory; each worker takes its share of the cores.

    Raises: ConfigError for no worker; RunError when a worker process dies; whatever `work` raises.
    """
    if workers < 1:
        raise ConfigError(f"workers must be at least 1, got {workers}")
    if workers == 1:
        for task in tasks:
            yield task, work(shared, task)
        return
    # Not forked: the fork of a process whose OpenMP threads have started hangs.
    context = multiprocessing.get_context("spawn")
    waiting: deque[tuple[Task, Future[Result]]] = deque()
    with ProcessPoolExecutor(workers, context, _start, (work, shared, workers)) as pool:
        try:
            for task in tasks:
                waiting.append((task, pool.submit(_work, task)))
                if len(waiting) >= 2 * workers:
                    first, future = waiting.popleft()
                    yield first, future.result()
            for first, future in waiting:
                yield first, future.result()
        except BrokenProcessPool as error:
            raise RunError(
                "a worker process died (out of memory?); run again to go on, or with fewer workers"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


_started: list[tuple[Callable[[Any, Any], Any], Any]] = []
"""What this worker process was started with: a pool's initializer can leave it nowhere else."""


def _start(work: Callable[[Any, Any], Any], shared: Any, workers: int) -> None:
    # More threads than cores makes OpenMP collapse.
    threads = max(1, (os.cpu_count() or 1) // workers)
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    _started.append((work, shared))


def _work(task: Any) -> Any:
    work, shared = _started[-1]
    return work(shared, task)
