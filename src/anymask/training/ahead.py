"""What the next step needs, made in a thread while this step computes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT")
MadeT = TypeVar("MadeT")


class Ahead(Generic[KeyT, MadeT]):
    """The answers of one function, the next one made ahead of need; what it is does not depend on that."""

    def __init__(self, make: Callable[[KeyT], MadeT]) -> None:
        """`make` must depend on its key alone; it runs in one thread of its own, or in the caller's."""
        self._make = make
        self._next: tuple[KeyT, Future[MadeT]] | None = None
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead")

    def get(self, key: KeyT, following: KeyT | None) -> MadeT:
        """`make(key)`; then `make(following)` begins, for the next call."""
        waiting, self._next = self._next, None
        made = waiting[1].result() if waiting is not None and waiting[0] == key else self._make(key)
        if following is not None:
            self._next = (following, self._worker.submit(self._make, following))
        return made

    def close(self) -> None:
        """Stop the thread."""
        self._worker.shutdown(wait=True, cancel_futures=True)
