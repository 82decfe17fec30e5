"""What machines, networks and people do to the annotation server, each with real processes on a real database.

Every function asserts what is due and answers what it saw, at the size it is given; `make test` runs small sizes.
"""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from anymask.data_engine.migrations.upgrading import newest_version, upgrade, version_of
from anymask.data_engine.store import Database
from anymask.data_engine.tables import Base, TaskRow
from soak import priority
from soak.load import Connection, LoadResult, hold
from tests.cli.servers import Answer, Client, Running, new_action
from tests.data_engine.world import SIZE_HW
from tests.integration.team import Team
from tests.services.postgres import Postgres

_COMES_AGAIN = 10
"""Times that a client asks which is told to come again."""


def serve(team: Team, model: Path, cache: Path, *, workers: int = 0) -> Running:
    """The team's server as a process."""
    return Running(team.arguments(model, "--workers", str(workers)), cache=cache, ANYMASK_DATABASE=team.url)


def kill_server(team: Team, model: Path, cache: Path, *, kills: int) -> str:
    """Row 17: the server is killed while it saves; what it acknowledged is there once, whole, and nothing else."""
    acknowledged: set[str] = set()
    sent: set[str] = set()
    rng = random.Random(17)
    for _ in range(kills):
        with serve(team, model, cache) as server:
            _check_masks(team, server, acknowledged, sent)
            stop = threading.Event()
            with ThreadPoolExecutor(3) as pool:
                savers = [pool.submit(_save_until, team, server, place, stop, acknowledged, sent) for place in range(3)]
                time.sleep(rng.uniform(0.1, 1.5))
                server.kill()
                stop.set()
            for saver in savers:
                saver.result()
    with serve(team, model, cache) as server:
        stored = _check_masks(team, server, acknowledged, sent)
    assert acknowledged, "the server never came to save anything"
    return f"{kills} kills: {len(sent)} masks sent, {len(acknowledged)} acknowledged, {stored} stored, none twice"


def _save_until(
    team: Team, server: Running, place: int, stop: threading.Event, acknowledged: set[str], sent: set[str]
) -> None:
    client = None
    while not stop.is_set():
        action = new_action(SIZE_HW)
        sent.add(action["mask_id"])
        try:
            client = client or team.client(server, 0)
            image = team.images[place % len(team.images)]
            answer = client.call("POST", f"/images/{image}/actions", {"actions": [action]}, timeout_s=20)
        except (OSError, HTTPException):  # not answered, or cut off in the middle of it
            return
        if answer.status == 200:
            acknowledged.add(action["mask_id"])


def _check_masks(team: Team, server: Running, acknowledged: set[str], sent: set[str]) -> int:
    client = team.client(server, 0)
    found = Counter[str]()
    for image in team.images:
        masks = client.data("GET", f"/images/{image}/masks")["masks"]
        orders = [mask["order"] for mask in masks]
        assert orders == sorted(set(orders))
        found.update(mask["id"] for mask in masks)
        assert all(mask["area_px"] == 81 for mask in masks)
    assert acknowledged <= set(found), "an acknowledged mask is lost"
    assert set(found) <= sent
    assert set(found.values()) <= {1}
    return len(found)


def write_from_two_sides(team: Team, model: Path, cache: Path, *, rounds: int) -> str:
    """Row 18: the same save ten times at once is one mask; of two changes at once one is a conflict with both."""
    image = team.images[0]
    with serve(team, model, cache) as server, ThreadPoolExecutor(10) as pool:
        clients = [team.client(server, person) for person in (0, 1) for _ in range(5)]
        for _ in range(rounds):
            _write_once(pool, clients, image)
        masks = clients[0].data("GET", f"/images/{image}/masks")["masks"]
    assert len(masks) == rounds
    assert {mask["version"] for mask in masks} == {2}
    return f"{rounds} rounds: one mask of ten saves, one conflict of two changes, each time"


def _write_once(pool: ThreadPoolExecutor, clients: list[Client], image: int) -> None:
    def send(client: Client, action: dict[str, object]) -> Answer:
        return client.call("POST", f"/images/{image}/actions", {"actions": [action]})

    create = new_action(SIZE_HW)
    answers = list(pool.map(send, clients, [create] * len(clients)))
    outcomes = Counter(answer.json()["results"][0]["outcome"] for answer in answers)
    assert outcomes == {"applied": 1, "repeated": len(clients) - 1}, outcomes
    base = {"kind": "replace", "mask_id": create["mask_id"], "base_version": 1}
    changes = [{**new_action(SIZE_HW), **base} for _ in range(2)]
    both = list(pool.map(send, (clients[0], clients[-1]), changes))
    assert sorted(answer.status for answer in both) == [200, 409]
    loser = next(answer for answer in both if answer.status == 409).json()["results"][0]
    assert loser["conflict"]["theirs"]["version"] == 2
    assert loser["conflict"]["yours"]["key"] in {change["key"] for change in changes}


def lease_queue(team: Team, model: Path, cache: Path, *, rounds: int, clients: int) -> str:
    """Row 19: everybody asks for the next task at once; each task is one person's, and a late token is refused."""
    tasks = len(team.images)
    with serve(team, model, cache) as server:
        late = asyncio.run(_ask_rounds(team, server.url, rounds, clients))
    return f"{rounds} rounds of {clients} clients for {tasks} tasks: each leased once, {late} late writers refused"


async def _ask_rounds(team: Team, url: str, rounds: int, clients: int) -> int:
    connections = [Connection(url) for _ in range(clients)]
    for place, connection in enumerate(connections):
        connection.cookie = f"anymask_session={team.tokens[2 + place]}"
        await connection.begin()
    database, refused = team.database(), 0
    path, body = f"/projects/{team.project_id}/queue/next", {"resume": False}
    for _ in range(rounds):
        answers = await asyncio.gather(*(_ask(each, path, body) for each in connections))
        leased = [answer["id"] for status, answer in answers if status == 200]
        assert sorted(leased) == sorted(set(leased)), "a task was leased twice"
        assert len(leased) == min(len(team.images), clients)
        assert {status for status, _ in answers} <= {200, 204}
        # The clock jumps by an hour: all leases are over, and one of the holders is late.
        database.write(_end_leases)
        holder = next(place for place, (status, _) in enumerate(answers) if status == 200)
        task = answers[holder][1]
        other = connections[holder - 1]
        status, again = await other.call("POST", f"/images/{task['image']['id']}/task", {})
        assert (status, again["lease"]["token"] > task["lease"]["token"]) == (200, True)
        old = {"token": task["lease"]["token"]}
        status, answer = await connections[holder].call("POST", f"/tasks/{task['id']}/finish", old)
        assert (status, answer["kind"]) == (409, "lease_lost")
        refused += 1
        database.write(_put_all_back)
    await asyncio.gather(*(each.close() for each in connections))
    database.close()
    return refused


async def _ask(connection: Connection, path: str, body: Any) -> tuple[int, Any]:
    """The answer; a client that is told to come again (503: the database is busy) does."""
    for _ in range(_COMES_AGAIN):
        status, answer = await connection.call("POST", path, body)
        if status != 503:
            return status, answer
        await asyncio.sleep(2)
    return status, answer


def _end_leases(session: Session) -> None:
    session.execute(update(TaskRow).values(expires_at=datetime(2020, 1, 1, tzinfo=UTC)))


def _put_all_back(session: Session) -> None:
    session.execute(update(TaskRow).values(state="waiting", person_id=None, expires_at=None))


def poison(team: Team, model: Path, cache: Path, *, kills: int) -> str:
    """Row 13: the worker is killed while it has a picture; the job is on its way again in a minute, and after three
    such tries it is set aside and named, while others are done."""
    database, waits = team.database(), []
    one = "SELECT state, attempts, message FROM jobs WHERE kind = 'embed' ORDER BY id LIMIT 1"

    def first() -> tuple[str, int, str]:
        row = database.read(lambda s: s.execute(text(one)).one_or_none())
        return ("waiting", 0, "") if row is None else (row[0], row[1], row[2])

    def wait_for(attempt: int) -> float:
        begun = time.monotonic()
        while first()[1] < attempt:
            assert time.monotonic() - begun < 60, "not on its way again in 60 s"
            time.sleep(0.005)
        return time.monotonic() - begun

    with serve(team, model, cache, workers=1) as server:
        for kill in range(kills):
            waits.append(wait_for(kill + 1))
            # Its worker has it now: it never gets to the end.
            for worker in server.workers():
                worker.send_signal(signal.SIGKILL)
        if kills >= 3:
            until = time.monotonic() + 60
            while first()[0] != "set_aside" and time.monotonic() < until:
                time.sleep(0.1)
            client = team.client(server, 0)
            (named,) = client.data("GET", f"/projects/{team.project_id}/jobs")
            assert (named["state"], named["kind"]) == ("set_aside", "embed")
            assert "3 workers" in named["message"]
        else:
            waits.append(wait_for(kills + 1))
    database.close()
    return f"{kills} workers killed, taken over after {', '.join(f'{wait:.0f}' for wait in waits[1:])} s"


def kill_migrations(url: str, *, kills: int) -> str:
    """Row 30: an upgrade is killed at random moments; the next one brings the database up to date."""
    code = "import sys; from anymask.data_engine.store import Database; "
    code += "from anymask.data_engine.migrations.upgrading import upgrade; "
    code += "sys.stdout.write('ready'); sys.stdout.flush(); upgrade(Database(sys.argv[1]))"
    rng, seen = random.Random(30), Counter[str]()
    for _ in range(kills):
        with subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.read(5)
            time.sleep(rng.uniform(0, 0.6))
            process.kill()
        database = Database(url)
        version = version_of(database)
        assert version in (None, newest_version())
        seen["before" if version is None else "after"] += 1
        if version is not None:  # begin anew
            _drop_all(database)
        database.close()
    database = Database(url)
    upgrade(database)
    assert version_of(database) == newest_version()
    database.close()
    return (
        f"{kills} upgrades killed: {seen['before']} undone whole, {seen['after']} done whole; the next one ended well"
    )


def _drop_all(database: Database) -> None:
    def drop(session: Session) -> None:
        Base.metadata.drop_all(session.connection())
        session.execute(text("DROP TABLE alembic_version"))
        if not database.is_sqlite:
            for function in ("refuse_change", "refuse_rating_change"):
                session.execute(text(f"DROP FUNCTION {function}() CASCADE"))

    database.write(drop)


def restart_postgres(team: Team, postgres: Postgres, model: Path, cache: Path, *, restarts: int) -> str:
    """Row 30: PostgreSQL is restarted under load; nothing is lost, and the server goes on by itself."""
    with serve(team, model, cache) as server:
        seconds = 6.0 * (restarts + 1)

        def restart() -> None:
            for index in range(restarts):
                time.sleep(3)
                postgres.stop("fast" if index % 2 == 0 else "immediate")
                time.sleep(0.5)
                postgres.start()

        thread = threading.Thread(target=restart)
        thread.start()
        result = hold_load(team, server.url, annotators=5, writes_a_second=10, seconds=seconds)
        thread.join()
        _check_load(team, server, result)
    return f"{restarts} restarts under load: {len(result.acknowledged)} masks acknowledged, all there"


def slow_bodies(team: Team, model: Path, cache: Path, *, connections: int) -> str:
    """Row 29: bodies that hardly come get 408, too large ones 413, and others are served meanwhile."""
    with serve(team, model, cache) as server:
        client = team.client(server, 0)
        host, port = server.url.removeprefix("http://").rstrip("/").split(":")
        head = (
            f"POST /api/v1/projects/{team.project_id}/images?file_name=a.png HTTP/1.1\r\nHost: {host}:{port}\r\n"
            f"Cookie: anymask_session={team.tokens[0]}\r\nX-CSRF-Token: {client.csrf}\r\nContent-Length: 1000\r\n\r\nab"
        )
        slow = [socket.create_connection((host, int(port))) for _ in range(connections)]
        for each in slow:
            each.sendall(head.encode())
        times = []
        for _ in range(20):
            begun = time.monotonic()
            client.data("GET", "/projects")
            times.append(time.monotonic() - begun)
        statuses = Counter(each.recv(100).split()[1].decode() for each in slow)
        for each in slow:
            each.close()
        assert set(statuses) == {"408", "503"}, statuses
        assert max(times) < 10
        large = f"{head.replace('Content-Length: 1000', 'Content-Length: 999999999')}"
        with socket.create_connection((host, int(port))) as opened:
            opened.sendall(large.encode())
            assert opened.recv(100).split()[1] == b"413"
        assert client.data("GET", "/projects")
    return f"{connections} slow uploads: {dict(statuses)}; others answered in at most {max(times):.2f} s meanwhile"


def hold_load(
    team: Team, url: str, *, annotators: int, writes_a_second: float, seconds: float, folders: tuple[Path, ...] = ()
) -> LoadResult:
    """Masks saved at a steady pace by several people, each on a picture of their own.

    `folders` are those of a database server, which is served first where the client is (see `priority.py`).
    """

    async def run() -> LoadResult:
        connections = [Connection(url) for _ in range(annotators)]
        for connection in connections:
            # Reviewers and admins save without a lease; each connection is a browser of its own.
            connection.cookie = f"anymask_session={team.tokens[1]}"
            await connection.begin()
        if priority.wants_first():
            priority.go_first(*folders)
        result = await hold(connections, [(image, SIZE_HW) for image in team.images], writes_a_second, seconds)
        await asyncio.gather(*(each.close() for each in connections))
        return result

    return asyncio.run(run())


def check_load(
    team: Team,
    model: Path,
    cache: Path,
    *,
    annotators: int,
    writes_a_second: float,
    seconds: float,
    folders: tuple[Path, ...] = (),
) -> tuple[LoadResult, str]:
    """The load figures: what was acknowledged is there, how long it took, and what it cost the server."""
    with serve(team, model, cache) as server:
        before = _cpu_s(server)
        result = hold_load(
            team,
            server.url,
            annotators=annotators,
            writes_a_second=writes_a_second,
            seconds=seconds,
            folders=folders,
        )
        cost_ms = (_cpu_s(server) - before) / max(len(result.acknowledged), 1) * 1000
        _check_load(team, server, result)
    seen = (
        f"{annotators} annotators, {writes_a_second:g} writes/s for {seconds:g} s: {len(result.acknowledged)} saved, "
    )
    return (
        result,
        seen + f"none lost, p50 {result.p50_ms:.0f} ms, p99 {result.p99_ms:.0f} ms, {cost_ms:.1f} ms CPU a save",
    )


def _cpu_s(server: Running) -> float:
    times = psutil.Process(server.process.pid).cpu_times()
    return float(times.user + times.system)


def _check_load(team: Team, server: Running, result: LoadResult) -> None:
    assert result.refused == []
    client, found = team.client(server, 0), []
    for image in team.images:
        found += [mask["id"] for mask in client.data("GET", f"/images/{image}/masks")["masks"]]
    assert result.acknowledged
    assert sorted(found) == sorted(result.acknowledged)
