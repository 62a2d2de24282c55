"""A PostgreSQL server of the tests."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from tests.conftest import require
from tests.stack.integration.processes import PATIENCE_S, Process, reserve_port, wait_until

__all__ = ["PostgresqlServer", "run_postgresql"]

USER, PASSWORD = "postgres", "only-for-tests"
OWNER = "postgres"
"""Who owns the data where root runs the tests: the server refuses to run as root."""
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "shared_buffers": "16MB",
    "lc_messages": "C",
}


def _find_program(name: str) -> str:
    """Return the path of a program of the server; Debian has them in no folder of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else require(name)


class PostgresqlServer:
    """One server with its data in a folder: killed, started again, and frozen on command."""

    def __init__(self, folder: Path) -> None:
        """Make an empty cluster whose only user needs a password; start nothing yet."""
        self.port = reserve_port()
        self._folder = folder
        self._data = folder / "data"
        self._process: Process | None = None
        self._user = OWNER if os.geteuid() == 0 else None
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if self._user is not None:
            for path in (folder, secret):
                os.chown(path, pwd.getpwnam(self._user).pw_uid, -1)
        subprocess.run(
            [
                *(_find_program("initdb"), "--no-sync", "--pgdata", self._data),
                *("--username", USER, "--auth", "scram-sha-256", "--pwfile", secret),
                *("--locale", "C", "--encoding", "UTF8"),
            ],
            check=True,
            capture_output=True,
            cwd=folder,
            user=self._user,
        )

    def url(self, port: int | None = None, password: str = PASSWORD, name: str = "postgres") -> str:
        """Return its URL for SQLAlchemy, or that of a proxy before it."""
        return f"postgresql+psycopg://{USER}:{password}@127.0.0.1:{port or self.port}/{name}"

    def start(self) -> None:
        """Start it, unless it runs, and wait until it answers."""
        if self._process is None:
            settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
            self._process = Process(
                [_find_program("postgres"), "-D", self._data, "-p", str(self.port), *settings],
                log=self._folder / "log",
                user=self._user,
                cwd=self._folder,
            )
            wait_until(self._answers, "PostgreSQL does not answer")

    def kill(self) -> None:
        """End it at once, as a crash does: nothing that runs is finished."""
        if self._process is not None:
            self._process.popen.send_signal(signal.SIGQUIT)
            self._process.popen.wait(PATIENCE_S)
            self._process = None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all its processes where they are; the kernel goes on accepting connections."""
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        pids = [pid, *map(int, children)]
        try:
            for one in pids:
                _send(one, signal.SIGSTOP)
            yield
        finally:
            for one in pids:
                _send(one, signal.SIGCONT)

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Run statements beside everything that is tested; return the rows of the last one."""
        settings = {"host": "127.0.0.1", "port": self.port, "user": USER, "password": PASSWORD}
        with psycopg.connect(dbname="postgres", autocommit=True, **settings) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def connections(self) -> int:
        """Return how many connections there are, but for the one that asks."""
        statement = (
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        count: int = self.ask(statement)[0][0]
        return count

    def wait_for_connections(self, expected: int) -> None:
        """Wait until there are so many connections: a closed one is gone a moment later."""
        wait_until(lambda: self.connections() == expected, f"not {expected} connections")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.is_running(), (self._folder / "log").read_text()
        try:
            self.ask("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


@contextlib.contextmanager
def run_postgresql() -> Iterator[PostgresqlServer]:
    """Start a server in a folder that its owner may enter; end it whatever happens."""
    _find_program("initdb")
    folder = Path(tempfile.mkdtemp(prefix="stack-postgresql-"))
    try:
        server = PostgresqlServer(folder)
        try:
            server.start()
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
