"""Local worker processes: each makes pieces until none is left; one that dies is replaced, its piece given anew."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from anymask.data_engine.generation.attempts import MAX_TRIES
from anymask.data_engine.generation.manifest import FILE, Piece, open_for_work
from anymask.data_engine.generation.pieces import PieceFacts, PieceMaker
from anymask.errors import AnymaskError, RunError
from anymask.model.devices import device_of

_MAX_START_DEATHS = 3
_SPARE_DEATHS = 10
"""Deaths over one piece beyond those that its pictures can be blamed for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What every worker must know."""

    work: Path
    """The run's work folder, reachable by all."""
    session: str
    """A name that no other start of the run has."""
    device: str
    threads: int


Made = Callable[[Piece, PieceFacts], None]
"""Called for each piece when it is on disk."""
Tell = Callable[[str], None]
"""Called with a sentence that a person should see now."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """The worker has its model."""


@dataclass(frozen=True, slots=True)
class _Failed:
    """The worker met what no other worker can do better."""

    error: AnymaskError


def prepare_process(threads: int) -> None:
    """Fix what results could depend on: threads of every library, and denormal numbers."""
    import cv2
    import torch

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    cv2.setNumThreads(threads)


def run_local(
    job: Job, pieces: Sequence[Piece], workers: int, made: Made, tell: Tell, should_stop: Callable[[], bool]
) -> None:
    """Make all `pieces` with `workers` processes; returns early when `should_stop`.

    Raises: RunError when workers die at the start, or over a piece whose every picture has been set aside; whatever
    error of ours a worker met (disk full, other weights).
    """
    crew = _Crew(job, deque(pieces), made, tell)
    try:
        for index in range(min(workers, len(pieces))):
            crew.start(index)
        while crew.is_busy and not should_stop():
            crew.step()
    finally:
        crew.end()


@dataclass(slots=True)
class _Worker:
    index: int
    process: BaseProcess
    connection: Connection
    piece: Piece | None = None
    is_ready: bool = False


class _Crew:
    def __init__(self, job: Job, pieces: deque[Piece], made: Made, tell: Tell) -> None:
        self._job, self._queue, self._made, self._tell = job, pieces, made, tell
        self._workers: list[_Worker] = []
        self._deaths: Counter[str] = Counter()
        self._start_deaths = 0

    @property
    def is_busy(self) -> bool:
        return bool(self._workers)

    def start(self, index: int) -> None:
        """A new process in place `index`."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self._job, index), daemon=True)
        process.start()
        theirs.close()
        self._workers.append(_Worker(index, process, ours))

    def step(self) -> None:
        """Wait for news, at most half a second, and act on it."""
        news = wait([worker.connection for worker in self._workers], timeout=0.5)
        for worker in [worker for worker in self._workers if worker.connection in news]:
            try:
                message = worker.connection.recv()
            except (EOFError, OSError):
                self._bury(worker)
                continue
            if isinstance(message, _Failed):
                raise message.error
            finished, worker.piece = worker.piece, None
            worker.is_ready, self._start_deaths = True, 0
            # Before the news is told: a shard may be joined then, and the model need not wait for that.
            self._give(worker)
            if isinstance(message, PieceFacts) and finished is not None:
                self._made(finished, message)

    def end(self) -> None:
        """End every process; what it was making is made again by whoever goes on."""
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()
            worker.connection.close()
        self._workers = []

    def _give(self, worker: _Worker) -> None:
        worker.piece = self._queue.popleft() if self._queue else None
        try:
            worker.connection.send(worker.piece)
        except OSError:
            return  # it died meanwhile: the end of its connection is the next news
        if worker.piece is None:
            worker.process.join()
            worker.connection.close()
            self._workers.remove(worker)

    def _bury(self, worker: _Worker) -> None:
        worker.process.join()
        worker.connection.close()
        self._workers.remove(worker)
        how = _how_it_ended(worker.process.exitcode)
        piece = worker.piece
        if not worker.is_ready:
            self._start_deaths += 1
            if self._start_deaths >= _MAX_START_DEATHS:
                raise RunError(
                    f"{self._start_deaths} workers in a row died at their start ({how}); is there memory for "
                    "the model in each? Give fewer --workers, and the same command goes on"
                )
        if piece is not None:
            self._deaths[piece.name] += 1
            if self._deaths[piece.name] > MAX_TRIES * piece.pictures + _SPARE_DEATHS:
                raise RunError(
                    f"{self._deaths[piece.name]} workers died over one piece of {piece.pictures} pictures ({how}), "
                    "more than its pictures can be blamed for; is there memory enough? The same command goes on"
                )
            self._queue.appendleft(piece)
            self._tell(f"a worker died ({how}); its {piece.pictures} pictures are given out again")
        if self._queue:
            self.start(worker.index)


def _how_it_ended(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"signal {signal.Signals(-exit_code).name}"
    return f"exit code {exit_code}"


def _work(connection: Connection, job: Job, index: int) -> None:
    """A worker's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to answer
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        prepare_process(job.threads)
        maker = PieceMaker(job.work, open_for_work(job.work / FILE), device=device_of(job.device, index))
        connection.send(_Ready())
        while (piece := connection.recv()) is not None:
            connection.send(maker.make(piece, job.session))
    except AnymaskError as error:
        connection.send(_Failed(error))
    except EOFError:
        return


def _end_with_parent() -> None:
    """End this process at once when the one that started it is gone, killed perhaps."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
