"""The payloads of this package, each with its real server and its real driver."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from resilience_bench.payloads import connections, http
from resilience_bench.payloads.builtin import BUILTIN_PAYLOADS
from resilience_bench.scenarios.payload_definition import Payload, ServerAddress
from resilience_bench.servers import http_program
from resilience_bench.servers.open_servers import Servers
from resilience_bench.worker.operations import open_made
from tests.servers.leftovers import make_place, need

NAMES = (
    *("sqlite", "sqlite-file", "sqlite-insert", "file"),
    *("redis", "redis-set", "redis-pipeline"),
    *("postgres", "postgres-tcp", "postgres-insert", "http", "outage"),
)
TOGETHER = 4


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """The servers of these tests."""
    with make_place(), Servers() as running:
        yield running


@contextlib.contextmanager
def opened(
    payload: Payload, servers: Servers, runner: asyncio.Runner
) -> Iterator[Callable[[], Any]]:
    """The work of a payload, with its server."""
    need(payload.server)
    server = None
    if payload.server:
        server = ServerAddress.from_json(servers.find_address(payload.server))
    with open_made(payload.make(server), runner) as work:
        yield work


def test_the_names_are_those_of_the_documentation() -> None:
    """Every one has a plain form; all but the file's and the outage have one for coroutines."""
    assert tuple(each.name for each in BUILTIN_PAYLOADS if not each.is_async) == NAMES
    twins = {each.name for each in BUILTIN_PAYLOADS if each.is_async}
    assert twins == set(NAMES) - {"file", "outage"}


@pytest.mark.parametrize("payload", BUILTIN_PAYLOADS, ids=lambda each: each.function.__name__)
def test_a_payload_returns_what_it_says(payload: Payload, servers: Servers) -> None:
    """Call after call, also when several callers call at the same time."""
    assert payload.returns is not None
    with asyncio.Runner() as runner, opened(payload, servers, runner) as work:
        if payload.is_async:

            async def call_together() -> list[object]:
                return await asyncio.gather(*(work() for _ in range(TOGETHER * 3)))

            assert runner.run(call_together()) == [payload.returns] * TOGETHER * 3
            return
        assert [work() for _ in range(3)] == [payload.returns] * 3
        found: list[object] = []
        callers = [
            threading.Thread(target=lambda: found.extend(work() for _ in range(3)))
            for _ in range(TOGETHER)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert found == [payload.returns] * TOGETHER * 3


@pytest.mark.parametrize("name", ["sqlite-insert", "postgres-insert"])
def test_rows_are_inserted_and_committed(name: str, servers: Servers) -> None:
    """Another connection sees them."""
    [payload] = [each for each in BUILTIN_PAYLOADS if each.name == name and not each.is_async]
    with asyncio.Runner() as runner, opened(payload, servers, runner) as work:
        address = ServerAddress.from_json(servers.find_address(payload.server))
        before = count_rows(name, address)
        for _ in range(5):
            work()
        assert count_rows(name, address) == before + 5


def count_rows(name: str, address: ServerAddress) -> int:
    """The rows that a new connection finds in the table that is inserted into."""
    if name == "sqlite-insert":
        import sqlite3

        [path] = Path(address.folder).glob("*/payload.db")
        with contextlib.closing(sqlite3.connect(path)) as connection:
            count: int = connection.execute("SELECT count(*) FROM entries").fetchone()[0]
            return count
    import psycopg

    with psycopg.connect(
        host=address.folder, port=address.port, user=address.user, dbname="postgres"
    ) as other:
        row = other.execute("SELECT count(*) FROM inserted").fetchone()
        assert row is not None
        return int(row[0])


def test_redis_is_asked_once_a_call(servers: Servers) -> None:
    """The server counts: one GET a call, ten a pipeline, and no attempt of the client's own."""
    need("redis")
    import redis

    address = ServerAddress.from_json(servers.find_address("redis"))
    with redis.Redis(host=address.host, port=address.port) as client:
        for name, expected in (("redis", 7), ("redis-pipeline", 70)):
            [payload] = [
                each for each in BUILTIN_PAYLOADS if each.name == name and not each.is_async
            ]
            with asyncio.Runner() as runner, opened(payload, servers, runner) as work:
                client.config_resetstat()
                for _ in range(7):
                    work()
                assert client.info("commandstats")["cmdstat_get"]["calls"] == expected


def test_a_dead_server_is_noticed_at_once(servers: Servers) -> None:
    """redis-py raises instead of making attempts of its own."""
    need("redis")
    import redis

    with Servers() as own:
        address = ServerAddress.from_json(own.find_address("redis"))
        [payload] = [
            each for each in BUILTIN_PAYLOADS if each.name == "redis" and not each.is_async
        ]
        with asyncio.Runner() as runner, open_made(payload.make(address), runner) as work:
            assert work() == payload.returns
            own.close()
            attempts = []
            connect = redis.Connection._connect

            def count(connection: Any) -> Any:
                attempts.append(connection)
                return connect(connection)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(redis.Connection, "_connect", count)
                with pytest.raises(redis.ConnectionError):
                    work()
                with pytest.raises(redis.ConnectionError):
                    work()
            assert len(attempts) <= 2


def test_http_works_without_httpx(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the standard library asks, over one connection."""
    monkeypatch.setattr(http.importlib.util, "find_spec", lambda _name: None)
    address = ServerAddress.from_json(servers.find_address("http"))
    with asyncio.Runner() as runner, open_made(http.http.make(address), runner) as work:
        assert [work() for _ in range(3)] == [http_program.BODY] * 3


def test_each_thread_has_a_connection_of_its_own() -> None:
    """One is opened when a thread first asks; all are closed at the end, whatever one says."""
    numbers = iter(range(10))
    seen: dict[str, set[int]] = {}
    closed: list[int] = []

    def close(connection: int) -> None:
        closed.append(connection)
        raise OSError

    with connections.open_per_thread(numbers.__next__, close) as per_thread:

        def use(name: str) -> None:
            seen[name] = {per_thread.connection for _ in range(3)}

        for name in ("a", "b"):
            caller = threading.Thread(target=use, args=(name,))
            caller.start()
            caller.join()
        use("here")
        assert len(set.union(*seen.values())) == 3
        assert [len(used) for used in seen.values()] == [1, 1, 1]
    assert sorted(closed) == sorted(set.union(*seen.values()))
