"""A worker: takes jobs one after the other, shows that it lives while it works, and says how each ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from anymask.data_engine import jobs
from anymask.data_engine.jobs import HeldJob
from anymask.data_engine.store import Database
from anymask.errors import AnymaskError, InputError, LeaseLostError, StoreError

Handler = Callable[[HeldJob], str | None]
"""Does one job; answers the key of the file it made, if it made one."""

_RENEW_S = jobs.LEASE.total_seconds() / 3
HUNG_S = 900.0
"""No picture takes so long, and no part of an import or export, on the slowest machine that is of use."""
_LOG = logging.getLogger(__name__)


class Worker:
    """Does the jobs of some kinds."""

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Any],
        *,
        poll_s: float = 0.5,
        hung_s: float = HUNG_S,
        on_hung: Callable[[str], None] | None = None,
    ) -> None:
        """Each kind is done by its handler; with nothing to do the database is asked every `poll_s` seconds.

        A job that reports no progress for `hung_s` is given up, though this process lives: another worker gets it, and
        after its last try it is set aside. `on_hung` is then called with the reason, and may end the process.
        """
        self.database, self.handlers, self.poll_s = database, dict(handlers), poll_s
        self.hung_s, self.on_hung = hung_s, on_hung
        self._held: HeldJob | None = None

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set; a database that is away is waited for."""
        while not stop.is_set():
            try:
                busy = self.run_once()
            except StoreError as error:
                _LOG.warning("the worker waits: %s", error)
                busy = False
            if not busy:
                stop.wait(self.poll_s)

    def run_once(self) -> bool:
        """Do one job; False when there is none."""
        kinds = list(self.handlers)
        held = self.database.write(lambda session: jobs.take_job(session, kinds, self.database.clock()))
        if held is None:
            return False
        self._held, ended = held, threading.Event()
        alive = threading.Thread(target=self._keep_alive, args=(held, ended), daemon=True)
        alive.start()
        try:
            self._do(held)
        finally:
            ended.set()
            alive.join()
            self._held = None
        return True

    def hand_back(self) -> None:
        """Before the process ends because of another worker of it: what this one is at is the next one's, and no try
        is lost. What it still does to the job is refused."""
        held = self._held
        if held is None:
            return
        try:
            self.database.write(lambda session: jobs.hand_back(session, held, self.database.clock()))
        except StoreError as error:
            _LOG.warning("job %d could not be handed back, its lease will end: %s", held.id, error)

    def _do(self, held: HeldJob) -> None:
        try:
            result_key = self.handlers[held.kind](held)
        except LeaseLostError as error:
            _LOG.warning("%s", error)
            return
        except Exception as error:  # whatever one picture does to the worker, the next ones must be done
            known = isinstance(error, AnymaskError)
            reason = str(error) if known else f"{type(error).__name__}: {error}"
            if not known:
                _LOG.exception("job %d failed", held.id)
            self._fail(held, reason, for_good=isinstance(error, InputError))
            return
        self._end(lambda session: jobs.finish(session, held, self.database.clock(), result_key=result_key))

    def _fail(self, held: HeldJob, reason: str, *, for_good: bool) -> None:
        # A refused picture is refused the next time too; another failure may have been the machine's.
        self._end(lambda session: jobs.fail(session, held, self.database.clock(), reason, for_good=for_good))

    def _end(self, change: Callable[[Any], None]) -> None:
        try:
            self.database.write(change)
        except LeaseLostError as error:
            _LOG.warning("%s", error)

    def _keep_alive(self, held: HeldJob, ended: threading.Event) -> None:
        reported, since = None, time.monotonic()
        while not ended.wait(min(_RENEW_S, self.hung_s / 3)):
            try:
                last = self.database.write(lambda session: jobs.renew(session, held, self.database.clock()))
            except LeaseLostError:
                return
            except StoreError as error:
                _LOG.warning("the lease of job %d could not be renewed: %s", held.id, error)
                continue
            if last != reported:
                reported, since = last, time.monotonic()
            elif time.monotonic() - since > self.hung_s:
                self._give_up(held)
                return

    def _give_up(self, held: HeldJob) -> None:
        reason = f"no progress in {self.hung_s:g} s, so its worker was ended; look at the picture, or raise --job-limit"
        try:
            self._fail(held, reason, for_good=False)
        except StoreError as error:
            _LOG.warning("job %d could not be given up, its lease will end: %s", held.id, error)
        finally:
            self._held = None  # given up, or left to its lease: a try that counts, and nothing to hand back
            if self.on_hung is not None:
                self.on_hung(f"job {held.id}: {reason}")
