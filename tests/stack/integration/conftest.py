"""Servers of the tests of the stack's integrations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from resilience_bench.servers.proxy import Proxy
from tests.stack.bench import Bench
from tests.stack.integration.caches import KINDS, Caller
from tests.stack.integration.databases import Client, MakeClient, PlainClient, TaskClient
from tests.stack.integration.postgresql_server import PostgresqlServer, run_postgresql
from tests.stack.integration.redis_server import RedisServer


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """An empty redis-server."""
    server = RedisServer(tmp_path)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def redis_proxy(redis_server: RedisServer) -> Iterator[Proxy]:
    """A proxy before the server."""
    with Proxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def postgresql_cluster() -> Iterator[PostgresqlServer]:
    """A PostgreSQL server that is made for the first test that asks for one."""
    with run_postgresql() as server:
        yield server


@pytest.fixture
def postgresql(postgresql_cluster: PostgresqlServer) -> Iterator[PostgresqlServer]:
    """The server, running, with an empty table of orders; no connection is left afterwards."""
    postgresql_cluster.start()
    postgresql_cluster.ask(
        "DROP TABLE IF EXISTS orders; "
        "CREATE TABLE orders (id serial PRIMARY KEY, item text NOT NULL UNIQUE)"
    )
    yield postgresql_cluster
    postgresql_cluster.start()
    postgresql_cluster.wait_for_connections(0)


@pytest.fixture
def postgresql_proxy(postgresql: PostgresqlServer) -> Iterator[Proxy]:
    """A proxy before the server."""
    with Proxy(postgresql.port) as proxy:
        yield proxy


@pytest.fixture(params=KINDS)
def make_cache(request: pytest.FixtureRequest, bench: Bench) -> Iterator[Callable[..., Caller]]:
    """Makes caches of the URL or the port of a server; each test runs for both kinds of calls."""
    made: list[Caller] = []

    def make(port: int, options: dict[str, Any] | None = None, **settings: Any) -> Caller:
        caller = Caller(bench, request.param, f"redis://127.0.0.1:{port}/0", options, **settings)
        made.append(caller)
        return caller

    yield make
    for caller in made:
        caller.close()


@pytest.fixture(params=[PlainClient, TaskClient])
def make_client(request: pytest.FixtureRequest) -> Iterator[MakeClient]:
    """Makes clients of databases, which are closed in the end: of functions, and of coroutines."""
    made: list[Client] = []

    def make(*args: Any, **settings: Any) -> Client:
        made.append(request.param(*args, **settings))
        return made[-1]

    yield make
    for client in made:
        client.close()
