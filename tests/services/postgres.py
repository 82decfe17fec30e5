"""A PostgreSQL server of Debian's packages, for tests: started in a folder of its own, ended with the tests.

`make postgres` installs the packages. PostgreSQL refuses to run as root; then it runs as the user `postgres`.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

_DEBIAN = Path("/usr/lib/postgresql")
_USER = "postgres"


def find_programs() -> Path | None:
    """The folder of initdb and postgres, of the newest version there is; None without one."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else None


class Postgres:
    """One server. With `is_durable` False it does not wait for the disk, and is good for tests of logic only."""

    def __init__(self, *, is_durable: bool = False, settings: tuple[str, ...] = ()) -> None:
        programs = find_programs()
        if programs is None:
            reason = "no PostgreSQL here; install it by: make postgres"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        self.programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="anymask-postgres-"))
        self.port = _free_port()
        self.settings = settings if is_durable else (*settings, "fsync=off", "synchronous_commit=off")
        self._databases = 0
        if os.geteuid() == 0:
            shutil.chown(self.folder, _USER)
        self._run("initdb", "-D", str(self.folder / "data"), "-A", "trust", "-U", _USER, "--no-sync")
        self.start()

    def start(self) -> None:
        options = " ".join(f"-c {each}" for each in ("listen_addresses=127.0.0.1", *self.settings))
        options += f" -p {self.port} -k {self.folder}"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-l", log, "-w", "-t", "120", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """`fast` cuts all connections; `immediate` is a crash."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", mode, "-w", "stop")

    def make_database(self, template: str = "template1") -> str:
        """The name of a new database."""
        self._databases += 1
        name = f"test_{self._databases}_{time.monotonic_ns()}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", _USER, "-T", template, name)
        return name

    def url(self, name: str) -> str:
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{name}"

    def query(self, statement: str) -> None:
        """Run one statement as the server's owner, also where writing is forbidden by default."""
        options = "-c default_transaction_read_only=off"
        with psycopg.connect(self.url(_USER), autocommit=True, options=options) as connection:
            connection.execute(statement.encode())

    def remove(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", _USER, "--", *command]
        # The started server keeps its output: a pipe would never end.
        output = self.folder / "output"
        with output.open("ab") as stream:
            answer = subprocess.run(
                command, check=False, stdout=stream, stderr=stream, cwd="/", stdin=subprocess.DEVNULL
            )
        assert answer.returncode == 0, output.read_text()[-2000:]


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])
