"""The rows of the annotation server at their full size, on SQLite and, where it is installed, on PostgreSQL.

Sizes are those of `sizes.py`; ANYMASK_SOAK_SHARE=0.1 runs a tenth, and the printed line says how much was run.
ANYMASK_SOAK_ON=SQLite, or =PostgreSQL, leaves the other one out, so that two processes run a row on both at once. Rows
of many rounds note how far they came on each in `.cache/soak`, and go on there.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url

from anymask.data_engine.exports import FORMATS as EXPORTED
from soak import api_fuzz, priority, server_faults, sizes
from soak.transfers import Carrying
from tests.cli.servers import Running
from tests.cli.small_model import write_small_model
from tests.integration.team import Team, make_team
from tests.services.postgres import Postgres, find_programs

_NOTES = Path(__file__).parents[1] / ".cache" / "soak"
_ROUNDS_AT_ONCE = 10
_ON = "ANYMASK_SOAK_ON"
_KINDS = ("SQLite", "PostgreSQL")


def kills() -> bool:
    """Row 17."""
    return _in_parts(
        "17", sizes.SERVER_KILLS, lambda p, n: server_faults.kill_server(p.team(), p.model, p.cache, kills=n)
    )


def two_sides() -> bool:
    """Row 18."""
    return _each(lambda place: server_faults.write_from_two_sides(place.team(), place.model, place.cache, rounds=50))


def queue() -> bool:
    """Row 19."""

    def run(place: Place, rounds: int) -> str:
        team = place.team(annotators=sizes.QUEUE_CLIENTS, images=sizes.QUEUE_TASKS)
        return server_faults.lease_queue(team, place.model, place.cache, rounds=rounds, clients=sizes.QUEUE_CLIENTS)

    return _in_parts("19", sizes.QUEUE_ROUNDS, run, at_once=100)


def poison() -> bool:
    """Row 13: three workers, one after the other."""
    return _each(lambda place: server_faults.poison(place.team(images=2), place.model, place.cache, kills=3))


def bodies() -> bool:
    """Row 29."""
    return _each(lambda place: server_faults.slow_bodies(place.team(), place.model, place.cache, connections=50))


def migrations() -> bool:
    """Row 30: migrations on both, restarts of a PostgreSQL that waits for the disk."""
    holds = _each(lambda place: server_faults.kill_migrations(place.url(), kills=_share(sizes.MIGRATION_KILLS)))
    with _places() as places:
        for place in places:
            if place.postgres is not None:
                team = place.team(images=5)
                seen = server_faults.restart_postgres(
                    team, place.postgres, place.model, place.cache, restarts=_share(sizes.RESTARTS)
                )
                print(f"{place.name}: {seen}", flush=True)
    return holds


def fuzz() -> bool:
    """Row 32."""
    seconds = _share(sizes.API_FUZZ_S)
    return _each(lambda place: api_fuzz.run(place.team(), place.model, place.cache, seconds=seconds))


def transfers() -> bool:
    """Row 102: on SQLite, or on the database that ANYMASK_SOAK_DATABASE names; each step is noted, and not done again.

    What is brought in and written out lies in `.cache/soak`, in a folder of this database, until the row is done.
    """
    given, pictures = os.environ.get("ANYMASK_SOAK_DATABASE"), _share(sizes.TRANSFER_PICTURES)
    folder = _NOTES / f"row-102-{urlsplit(given).scheme if given else 'sqlite'}"
    folder.mkdir(parents=True, exist_ok=True)
    model, notes = folder / "small.safetensors", folder / "notes.json"
    noted: dict[str, Any] = json.loads(notes.read_text()) if notes.exists() else {}
    if not noted:
        url = given or f"sqlite:///{folder / 'team.db'}"
        team = make_team(url, folder / "team", annotators=1, images=sizes.TRANSFER_PEOPLE)
        write_small_model(model)
        noted = {"team": [team.url, team.project_id, team.images, team.tokens], "pictures": pictures, "done": []}
        notes.write_text(json.dumps(noted))
    url, project_id, images, tokens = noted["team"]
    carrying = Carrying(
        team=Team(url, folder / "team", project_id, images, tokens),
        model=model,
        cache=_NOTES / "cache",
        folder=folder,
        pictures=noted["pictures"],
        writes_a_second=sizes.TRANSFER_WRITES_A_SECOND,
        kills=sizes.TRANSFER_KILLS,
    )
    steps = ["source", *(f"{form} {part}" for form in EXPORTED for part in ("out", "back", "compare"))]
    for step in steps[len(noted["done"]) :]:
        with carrying.served() as server:
            print(f"{make_url(url).get_backend_name()}: {_transfer(carrying, server, step, noted)}; ", end="")
        print(f"load average {os.getloadavg()[0]:.1f}", flush=True)
        noted["done"].append(step)
        notes.write_text(json.dumps(noted))
    shutil.rmtree(folder)
    return True


def _transfer(carrying: Carrying, server: Running, step: str, noted: dict[str, Any]) -> str:
    """One step of row 102; `noted` gets the project that it made."""
    form, _, part = step.partition(" ")
    if part == "out":
        return carrying.write_out(server, form)
    if part == "back":
        noted["project"], seen = carrying.bring_back(server, form)
        return seen
    return carrying.compare(server, form, noted["project"]) if part else carrying.bring_in(server)


def load() -> bool:
    """The load figures: nothing is lost, and the 99th percentile holds."""
    figures = {"SQLite": sizes.LOAD_SQLITE, "PostgreSQL": sizes.LOAD_POSTGRES}
    holds = True
    with _places() as places:
        for place in places:
            annotators, writes = figures[place.name]
            result, seen = server_faults.check_load(
                place.team(images=annotators),
                place.model,
                place.cache,
                annotators=annotators,
                writes_a_second=writes,
                seconds=_share(sizes.LOAD_S),
                folders=() if place.postgres is None else (place.postgres.folder,),
            )
            first = ", served before the others of the machine" if priority.wants_first() else ""
            print(f"{place.name}: {seen}{first}", flush=True)
            holds &= result.p99_ms < sizes.LOAD_P99_MS
    return holds


class Place:
    """One kind of database, and what servers need."""

    def __init__(self, name: str, folder: Path, model: Path, cache: Path, postgres: Postgres | None) -> None:
        self.name, self.folder, self.model, self.cache, self.postgres = name, folder, model, cache, postgres
        self._made = 0

    def url(self) -> str:
        """The address of a new database."""
        if self.postgres is not None:
            return self.postgres.url(self.postgres.make_database())
        self._made += 1
        return f"sqlite:///{self.folder / f'{self._made}.db'}"

    def team(self, *, annotators: int = 1, images: int = 3) -> Team:
        """A new one."""
        url = self.url()
        return make_team(url, Path(tempfile.mkdtemp(dir=self.folder)), annotators=annotators, images=images)


@contextmanager
def _places() -> Iterator[list[Place]]:
    only = os.environ.get(_ON)
    if only not in (None, *_KINDS):
        raise SystemExit(f"{_ON} is {only!r}; expected {' or '.join(_KINDS)}; leave it out for both")
    sqlite, postgresql = (only in (None, kind) for kind in _KINDS)
    # One that is asked for by name is missed by name, too.
    postgres = Postgres(is_durable=True) if postgresql and (only or find_programs()) else None
    with tempfile.TemporaryDirectory() as folder:
        model = write_small_model(Path(folder) / "small.safetensors")
        cache = _NOTES / "cache"  # the decoder takes long to write
        places = [Place(_KINDS[0], Path(folder), model, cache, None)] if sqlite else []
        if postgres is not None:
            places.append(Place(_KINDS[1], Path(folder), model, cache, postgres))
        try:
            yield places
        finally:
            if postgres is not None:
                postgres.remove()


def _each(run: Callable[[Place], str]) -> bool:
    with _places() as places:
        for place in places:
            print(f"{place.name}: {run(place)}", flush=True)
    return True


def _in_parts(row: str, rounds: int, run: Callable[[Place, int], str], *, at_once: int = _ROUNDS_AT_ONCE) -> bool:
    """Rounds in parts, each noted when it is done, so that an interrupted run goes on where it was."""
    rounds = _share(rounds)
    _NOTES.mkdir(parents=True, exist_ok=True)
    with _places() as places:
        notes = {place.name: _NOTES / f"row-{row}-{place.name}" for place in places}
        for place in places:
            note = notes[place.name]
            done = int(note.read_text()) if note.exists() else 0
            while done < rounds:
                part = min(at_once, rounds - done)
                print(f"{place.name}: {run(place, part)}", flush=True)
                done += part
                note.write_text(str(done))
                print(f"{place.name}: {done} of {rounds}, load average {os.getloadavg()[0]:.1f}", flush=True)
    for note in notes.values():
        note.unlink()
    return True


def _share(size: int) -> int:
    return max(1, round(size * float(os.environ.get("ANYMASK_SOAK_SHARE", "1"))))
