"""SQLite: a row by its key, in memory and in a file; a row inserted and committed."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final

from resilience_bench.payloads.connections import open_per_thread
from resilience_bench.scenarios.payload_definition import ServerAddress, payload

KEYS: Final = 1000
KEY: Final = (500,)
ROW: Final = ("value 500",)
SELECT: Final = "SELECT value FROM entries WHERE key = ?"
INSERT: Final = "INSERT INTO entries (value) VALUES (?)"
BUSY_S: Final = 30.0
"""How long a caller waits while another one writes."""
SETTINGS: Final = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
"""With a WAL, NORMAL keeps the database consistent without waiting for the disk at each commit."""
TABLE: Final = "CREATE TABLE entries (key INTEGER PRIMARY KEY, value TEXT NOT NULL)"


@payload(returns=ROW)
def sqlite() -> Iterator[Callable[[], Any]]:
    """Read a row by its key from a database in memory; each thread has a database of its own."""
    with open_per_thread(functools.partial(_connect, ":memory:"), _close) as per_thread:

        def select() -> Any:
            return per_thread.connection.execute(SELECT, KEY).fetchone()

        yield select


@payload(server="folder", returns=ROW)
def sqlite_file(server: ServerAddress) -> Iterator[Callable[[], Any]]:
    """Read a row by its key from a file with a write-ahead log."""
    with (
        _make_database(server) as path,
        open_per_thread(functools.partial(_connect, path), _close) as per_thread,
    ):

        def select() -> Any:
            return per_thread.connection.execute(SELECT, KEY).fetchone()

        yield select


@payload(server="folder", returns=1)
def sqlite_insert(server: ServerAddress) -> Iterator[Callable[[], Any]]:
    """Insert a row into a file with a write-ahead log, and commit it."""
    with (
        _make_database(server) as path,
        open_per_thread(functools.partial(_connect, path), _close) as per_thread,
    ):

        def insert() -> int:
            connection = per_thread.connection
            added = connection.execute(INSERT, ROW).rowcount
            connection.commit()
            return added

        yield insert


@payload(distributions=("aiosqlite",), returns=ROW)
async def async_sqlite() -> AsyncIterator[Callable[[], Any]]:
    """Read a row by its key from a database in memory; all tasks share its thread."""
    async with _connect_async(":memory:") as connection:

        async def select() -> Any:
            async with connection.execute(SELECT, KEY) as cursor:
                return await cursor.fetchone()

        yield select


@payload(server="folder", distributions=("aiosqlite",), returns=ROW)
async def async_sqlite_file(server: ServerAddress) -> AsyncIterator[Callable[[], Any]]:
    """Read a row by its key from a file with a write-ahead log."""
    with _make_database(server) as path:
        async with _connect_async(path) as connection:

            async def select() -> Any:
                async with connection.execute(SELECT, KEY) as cursor:
                    return await cursor.fetchone()

            yield select


@payload(server="folder", distributions=("aiosqlite",), returns=1)
async def async_sqlite_insert(server: ServerAddress) -> AsyncIterator[Callable[[], Any]]:
    """Insert a row into a file with a write-ahead log, and commit it."""
    with _make_database(server) as path:
        async with _connect_async(path) as connection:

            async def insert() -> Any:
                async with connection.execute(INSERT, ROW) as cursor:
                    await connection.commit()
                    return cursor.rowcount

            yield insert


def _connect(path: str) -> sqlite3.Connection:
    # Closed by another thread than the one that uses it.
    connection = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
    if path == ":memory:":
        _fill(connection)
    else:
        connection.executescript(SETTINGS)
    return connection


def _close(connection: sqlite3.Connection) -> None:
    connection.close()


@contextlib.asynccontextmanager
async def _connect_async(path: str) -> AsyncIterator[Any]:
    import aiosqlite

    async with aiosqlite.connect(path, timeout=BUSY_S) as connection:
        if path == ":memory:":
            await connection.execute(TABLE)
            await connection.executemany(INSERT, _list_rows())
        else:
            await connection.executescript(SETTINGS)
        yield connection


@contextlib.contextmanager
def _make_database(server: ServerAddress) -> Iterator[str]:
    """Yield the path of a new file with a filled table."""
    with tempfile.TemporaryDirectory(dir=server.folder, ignore_cleanup_errors=True) as folder:
        path = str(Path(folder) / "payload.db")
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.executescript(SETTINGS)
            _fill(connection)
        yield path


def _fill(connection: sqlite3.Connection) -> None:
    connection.execute(TABLE)
    connection.executemany(INSERT, _list_rows())
    connection.commit()


def _list_rows() -> Iterator[tuple[str]]:
    return ((f"value {key}",) for key in range(1, KEYS + 1))
