"""PostgreSQL: a row by its key over a Unix socket and TCP; a row inserted and committed."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from resilience_bench.payloads.connections import open_per_thread
from resilience_bench.scenarios.payload_definition import ServerAddress, payload

NEEDS: Final[dict[str, Any]] = {
    "server": "postgres",
    "distributions": ("psycopg", "psycopg-binary"),
}
ASYNC_NEEDS: Final[dict[str, Any]] = {
    "server": "postgres",
    "distributions": ("psycopg", "psycopg-binary", "psycopg-pool"),
}
KEY: Final = (500,)
ROW: Final = ("value 500",)
SELECT: Final = "SELECT value FROM entries WHERE key = %s"
INSERT: Final = "INSERT INTO inserted (value) VALUES (%s)"
TABLES: Final = """
    SELECT pg_advisory_lock(1);
    CREATE TABLE IF NOT EXISTS entries (key integer PRIMARY KEY, value text NOT NULL);
    CREATE TABLE IF NOT EXISTS inserted (key serial PRIMARY KEY, value text NOT NULL);
    INSERT INTO entries SELECT key, 'value ' || key FROM generate_series(1, 1000) AS key
        ON CONFLICT DO NOTHING;
    SELECT pg_advisory_unlock(1);
"""
TIMEOUT_S: Final = 10
CONNECTIONS: Final = 8
"""Connections that all tasks of a worker share."""


@payload(**NEEDS, returns=ROW)
def postgres(server: ServerAddress) -> Iterator[Callable[[], Any]]:
    """Read a row by its key over the Unix socket."""
    with _open_select(server, server.folder) as select:
        yield select


@payload(**NEEDS, returns=ROW)
def postgres_tcp(server: ServerAddress) -> Iterator[Callable[[], Any]]:
    """Read a row by its key over TCP."""
    with _open_select(server, server.host) as select:
        yield select


@payload(**NEEDS, returns=1)
def postgres_insert(server: ServerAddress) -> Iterator[Callable[[], Any]]:
    """Insert a row over the Unix socket, and commit it."""
    _create_tables(server)
    connect = functools.partial(_connect, server, server.folder, autocommit=False)
    with open_per_thread(connect, _close) as per_thread:

        def insert() -> Any:
            connection = per_thread.connection
            added = connection.execute(INSERT, ROW).rowcount
            connection.commit()
            return added

        yield insert


@payload(**ASYNC_NEEDS, returns=ROW)
async def async_postgres(server: ServerAddress) -> AsyncIterator[Callable[[], Any]]:
    """Read a row by its key over the Unix socket."""
    async with _open_select_async(server, server.folder) as select:
        yield select


@payload(**ASYNC_NEEDS, returns=ROW)
async def async_postgres_tcp(server: ServerAddress) -> AsyncIterator[Callable[[], Any]]:
    """Read a row by its key over TCP."""
    async with _open_select_async(server, server.host) as select:
        yield select


@payload(**ASYNC_NEEDS, returns=1)
async def async_postgres_insert(server: ServerAddress) -> AsyncIterator[Callable[[], Any]]:
    """Insert a row over the Unix socket, and commit it."""
    _create_tables(server)
    async with _open_pool(server, server.folder, autocommit=False) as pool:

        async def insert() -> Any:
            async with pool.connection() as connection:  # commits at its end
                return (await connection.execute(INSERT, ROW)).rowcount

        yield insert


def _connect(server: ServerAddress, host: str, *, autocommit: bool) -> Any:
    import psycopg

    return psycopg.connect(**_get_settings(server, host), autocommit=autocommit)


def _get_settings(server: ServerAddress, host: str) -> dict[str, Any]:
    return {
        "host": host,
        "port": server.port,
        "user": server.user,
        "password": server.password,
        "dbname": "postgres",
        "connect_timeout": TIMEOUT_S,
        "sslmode": "disable",
    }


def _close(connection: Any) -> None:
    connection.close()


def _create_tables(server: ServerAddress) -> None:
    with _connect(server, server.folder, autocommit=True) as connection:
        connection.execute(TABLES)


@contextlib.contextmanager
def _open_select(server: ServerAddress, host: str) -> Iterator[Callable[[], Any]]:
    _create_tables(server)
    connect = functools.partial(_connect, server, host, autocommit=True)
    with open_per_thread(connect, _close) as per_thread:

        def select() -> Any:
            return per_thread.connection.execute(SELECT, KEY).fetchone()

        yield select


@contextlib.asynccontextmanager
async def _open_select_async(server: ServerAddress, host: str) -> AsyncIterator[Callable[[], Any]]:
    _create_tables(server)
    async with _open_pool(server, host, autocommit=True) as pool:

        async def select() -> Any:
            async with pool.connection() as connection:
                return await (await connection.execute(SELECT, KEY)).fetchone()

        yield select


@contextlib.asynccontextmanager
async def _open_pool(server: ServerAddress, host: str, *, autocommit: bool) -> AsyncIterator[Any]:
    from psycopg_pool import AsyncConnectionPool

    async with AsyncConnectionPool(
        kwargs={**_get_settings(server, host), "autocommit": autocommit},
        min_size=CONNECTIONS,
        max_size=CONNECTIONS,
        timeout=TIMEOUT_S,
        reconnect_timeout=0,
        open=False,
    ) as pool:
        yield pool
