"""What the next steps need, made in threads while this step computes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
MadeT = TypeVar("MadeT")


class Ahead(Generic[KeyT, MadeT]):
    """The answers of one function, some of them made ahead of need; what they are does not depend on that."""

    def __init__(self, make: Callable[[KeyT], MadeT], workers: int = 1) -> None:
        """`make` must depend on its key alone; it runs in `workers` threads."""
        self._make = make
        self._begun: dict[KeyT, Future[MadeT]] = {}
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix="ahead")

    def get(self, wanted: Sequence[KeyT], following: Sequence[KeyT] = ()) -> list[MadeT]:
        """`make` of every key that is wanted, in order; that of those that follow begins, for the next calls.

        What was begun for other keys is dropped.
        """
        keys = [*wanted, *following]
        for key in self._begun.keys() - set(keys):
            self._begun.pop(key).cancel()
        for key in keys:
            if key not in self._begun:
                self._begun[key] = self._workers.submit(self._make, key)
        return [self._begun.pop(key).result() for key in wanted]

    def close(self) -> None:
        """Stop the threads; what they have begun is finished, the rest is dropped."""
        self._workers.shutdown(wait=True, cancel_futures=True)
