"""A real server with simulated people on it, for the length of a run."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from anymask.cli import console
from anymask.cli.engine.opening import database_url
from anymask.cli.engine.telling import Teller
from anymask.cli.running import Stop
from anymask.errors import ServerConfigError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from anymask.data_engine.annotator_client import Credentials
    from anymask.data_engine.loop import Engine
    from anymask.data_engine.simulated_annotator import PictureNote
    from anymask.data_engine.simulated_team import SimulationConfig

_RESTARTS = 20
_END_S, _LOOK_S = 15.0, 0.5


class Simulation:
    """People and the server that they work on. A server that dies is started again, at the same port."""

    def __init__(self, config: SimulationConfig) -> None:
        """Raises: DatasetError for label maps that cannot be read."""
        from anymask.data_engine.simulated_team import LabelTruth

        self.config, self.truth = config, LabelTruth(config.truth)
        self.url, self.people = "", list[Any]()
        self._ending = threading.Event()

    @contextmanager
    def begun(self, engine: Engine) -> Iterator[None]:
        """The server serves while the block runs.

        Raises: ServerConfigError when it does not start.
        """
        self.people = _make_people(engine, self.config.annotators)
        started = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(engine, started))
        keeper.start()
        try:
            started.wait()
            if not self.url:
                raise ServerConfigError("the server for the simulated people did not start; see what it said above")
            yield
        finally:
            self._ending.set()
            keeper.join()

    def work(self, engine: Engine, teller: Teller, stop: Stop) -> None:
        """The simulated people do the pictures of the next turn.

        Raises: StoreError when the server stays away, DatasetError.
        """
        from anymask.data_engine.simulated_notes import count_pictures, keep_note
        from anymask.data_engine.simulated_team import annotate

        self._wait_for_workers(engine, teller, stop)
        number = len(engine.turns.finished()) + 1
        wanted, before = self.config.pictures, count_pictures(engine.folder, number)
        teller.begins(f"{len(self.people)} simulated people annotate {wanted} pictures")
        found = [before]

        def done(note: PictureNote) -> None:
            keep_note(engine.folder, number, note)
            found[0] += 1
            teller.progress(found[0], wanted)

        annotate(
            self.url,
            self.people,
            engine.project_id,
            self.truth,
            self.config.habits,
            pictures=max(0, wanted - before),
            done=done,
            should_stop=lambda: bool(stop.signal),
        )

    def _wait_for_workers(self, engine: Engine, teller: Teller, stop: Stop) -> None:
        """Simulated people are faster than workers: they begin when every picture is embedded and has its proposals."""
        teller.begins("wait until pictures are embedded and masks proposed")
        most = 0
        while not stop.signal and (left := engine.database.read(lambda session: _open_jobs(session, engine))):
            most = max(most, left)
            teller.progress(most - left, most)
            time.sleep(_LOOK_S)

    def _keep(self, engine: Engine, started: threading.Event) -> None:
        port = "0"
        try:
            for _ in range(_RESTARTS):
                with _serve(engine, port) as process:
                    assert process.stdout is not None
                    line = process.stdout.readline()
                    if " at http://" not in line:
                        return
                    self.url = line.split(" at ")[1].split()[0]
                    port = self.url.rstrip("/").rpartition(":")[2]
                    started.set()
                    while process.poll() is None and not self._ending.wait(0.2):
                        pass
                    if self._ending.is_set():
                        process.terminate()
                        try:
                            process.wait(_END_S)
                        except subprocess.TimeoutExpired:
                            process.kill()
                        return
                console.warn("the server ended by itself; it is started again")
        finally:
            started.set()


def _open_jobs(session: Session, engine: Engine) -> int:
    from sqlalchemy import func, select

    from anymask.data_engine.tables import JobRow

    query = select(func.count()).select_from(JobRow).where(JobRow.project_id == engine.project_id)
    kinds = JobRow.kind.in_(("embed", "propose"))
    return session.scalar(query.where(kinds, JobRow.state.in_(("waiting", "running")))) or 0


def _serve(engine: Engine, port: str) -> subprocess.Popen[str]:
    """The server as a process that ends with this one."""
    from anymask.data_engine.turns.retrain import end_with_parent

    where = ["--workspace", str(engine.folder / "server"), "--store", engine.config.store]
    environment = {
        **os.environ,
        "ANYMASK_DATABASE": database_url(engine.config),
        "ANYMASK_ADMIN_PASSWORD": secrets.token_urlsafe(16),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "anymask", "serve", *where, "--port", port],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=end_with_parent,
    )


def _make_people(engine: Engine, count: int) -> list[Credentials]:
    """Annotators of the project, with passwords of this run."""
    from sqlalchemy import select

    from anymask.data_engine import people, projects
    from anymask.data_engine.annotator_client import Credentials
    from anymask.data_engine.tables import PersonRow

    found: list[Credentials] = []
    for number in range(1, count + 1):
        name, password = f"simulated {number}", secrets.token_urlsafe(16)

        def make(session: Session, name: str = name, password: str = password) -> None:
            row = session.scalar(select(PersonRow).where(PersonRow.name == name))
            if row is None:
                row = people.add_person(session, name, "annotator", password, engine.database.clock())
            else:
                people.change_person(session, row.id, role=None, password=password, active=True)
            projects.add_member(session, engine.project_id, row.id)

        engine.database.write(make)
        found.append(Credentials(name, password))
    return found
