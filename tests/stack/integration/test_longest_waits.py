"""How long a crowd waits while its server is silent, by a clock that skips the waits."""

from __future__ import annotations

import asyncio
import statistics
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import httpx
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from resilience_bench.servers.proxy import Proxy
from resilience_stack import ResilienceManager, find_failure
from resilience_stack.integrations import redis, sqlalchemy
from resilience_stack.integrations.httpx import AsyncGuardedTransport, GuardedTransport
from resilience_stack.integrations.httpx import policy as make_http_policy
from tests.stack.bench import Bench, in_threads
from tests.stack.integration.http_server import HttpServer
from tests.stack.integration.processes import wait_until
from tests.stack.integration.skipped_time import SkippingLoop, ThreadClock

DEADLINE_S, ATTEMPT_S, TOLERANCE_S = 0.73, 0.31, 0.05
"""Limits that are no multiples of the intervals at which a driver looks at its clock."""
THREADS = 64
TASKS = 1000
CONNECTIONS = 16
"""What the tasks share; each thread has one of its own."""
MANY = 1000
"""An event loop that waits so often does not wait: it looks."""
SETTINGS = {
    "deadline_s": DEADLINE_S,
    "attempt_s": ATTEMPT_S,
    "attempts": 9,
    "wait_initial_s": 0.01,
    "wait_max_s": 0.01,
    "jitter_s": 0.0,
}
ASK = text("SELECT 42")


@dataclass(frozen=True)
class Server:
    """A server that can be silenced, and what is guarded there: "database", "cache" or "http"."""

    kind: str
    url: str
    proxy: Proxy


@pytest.fixture(params=[(5, 1), (10_000, 0)], ids=["opens", "stays closed"])
def limits(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Failures that open the breaker, and how often it opens: if never, all use up their time."""
    made: tuple[int, int] = request.param
    return made


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Server:
    """A PostgreSQL server."""
    proxy = request.getfixturevalue("postgresql_proxy")
    return Server("database", request.getfixturevalue("postgresql").url(proxy.port), proxy)


@pytest.fixture
def cache(redis_proxy: Proxy) -> Server:
    """A redis-server."""
    return Server("cache", f"redis://127.0.0.1:{redis_proxy.port}/0", redis_proxy)


@pytest.fixture
def http() -> Iterator[Server]:
    """A host."""
    with HttpServer() as server, Proxy(server.port) as proxy:
        yield Server("http", f"http://127.0.0.1:{proxy.port}/", proxy)


@pytest.fixture(
    params=[
        "database",
        pytest.param("cache", marks=pytest.mark.needs("redis-server", "setpriv")),
        "http",
    ]
)
def server(request: pytest.FixtureRequest) -> Server:
    """One of the three."""
    made: Server = request.getfixturevalue(request.param)
    return made


def make_call(manager: ResilienceManager, server: Server, fail_max: int) -> Callable[[], object]:
    """Make what asks the server once."""
    settings: dict[str, Any] = {**SETTINGS, "fail_max": fail_max}
    if server.kind == "database":
        guard = manager.guard("database", sqlalchemy.policy(**settings))
        engine = sqlalchemy.Database(guard, server.url, pool_size=THREADS, max_overflow=0)
        return engine.transaction(lambda session: session.scalar(ASK))
    if server.kind == "cache":
        guard = manager.guard("cache", redis.policy(**settings))
        client = redis.Cache(guard, server.url, max_connections=THREADS).client
        return lambda: client.get("key")
    transport = GuardedTransport(manager, policy=make_http_policy(**settings))
    host = httpx.Client(transport=transport, timeout=None)
    return lambda: host.get(server.url)


def make_awaited_call(
    manager: ResilienceManager, server: Server, fail_max: int
) -> Callable[[], Awaitable[object]]:
    """Make what asks the server once, and is awaited."""
    settings: dict[str, Any] = {**SETTINGS, "fail_max": fail_max}
    if server.kind == "database":
        guard = manager.guard("database", sqlalchemy.policy(**settings))
        engine = sqlalchemy.AsyncDatabase(guard, server.url, pool_size=CONNECTIONS, max_overflow=0)
        return engine.transaction(lambda session: session.scalar(ASK))
    if server.kind == "cache":
        guard = manager.guard("cache", redis.policy(**settings))
        client = redis.AsyncCache(guard, server.url, max_connections=CONNECTIONS).client
        return lambda: client.get("key")
    inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=CONNECTIONS))
    transport = AsyncGuardedTransport(manager, inner, policy=make_http_policy(**settings))
    host = httpx.AsyncClient(transport=transport, timeout=None)
    return lambda: host.get(server.url)


def check_waits(bench: Bench, waits_s: list[float], ended: list[object], opened: int) -> None:
    """Assert that all have failed, and of a hundred 99 within the limit; the breaker's changes."""
    failures = [find_failure(error) for error in ended if isinstance(error, Exception)]
    noted_s = [failure.elapsed_s for failure in failures if failure is not None]
    assert len(noted_s) == len(ended)
    for times_s in (waits_s, noted_s):
        longest_s = statistics.quantiles(times_s, n=100, method="inclusive")[98]
        assert longest_s <= DEADLINE_S + TOLERANCE_S
        if not opened:
            assert min(times_s) > 2 * ATTEMPT_S
    [guard] = bench.manager.guards
    _, failed, rejected = bench.calls(guard)
    assert (failed or 0) + (rejected or 0) == len(ended)
    assert bench.transitions() == {"open": opened, "half-open": 0, "closed": 0}


def test_threads_wait_no_longer_than_their_deadline(
    bench: Bench, server: Server, limits: tuple[int, int]
) -> None:
    """The driver gives up in time, in asking and in connecting, however often it is tried."""
    stopped = threading.Event()
    clock = ThreadClock(threading.Barrier(THREADS), stopped)

    def time_call() -> tuple[float, object]:
        began_s = clock.read()
        try:
            result = call()
        except Exception as error:  # noqa: BLE001 - it is what the test looks at
            result = error
        return clock.read() - began_s, result

    with clock.installed():
        bench.registry = CollectorRegistry()
        bench.manager = ResilienceManager(bench.registry, sleep=clock.sleep)
        call = make_call(bench.manager, server, limits[0])
        call()  # what SQLAlchemy does at its first connection, the others would wait for
        server.proxy.freeze()
        stopped.set()
        waits_s, ended = zip(*in_threads(*[time_call] * THREADS), strict=True)
    check_waits(bench, [*waits_s], [*ended], limits[1])
    wait_until(lambda: server.proxy.connections >= THREADS, "not every thread asked the server")


async def time_awaited(call: Callable[[], Awaitable[object]]) -> tuple[float, object]:
    """Return how long a call took by the event loop's clock, and what it returned or raised."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    try:
        result = await call()
    except Exception as error:  # noqa: BLE001 - it is what the test looks at
        result = error
    return loop.time() - began_s, result


def test_tasks_wait_no_longer_than_their_deadline(
    bench: Bench, server: Server, limits: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are cancelled in time: in the pool, in asking and in connecting; and none turns idly."""
    # httpcore looks for it at each request, a thousand folders a second.
    monkeypatch.setitem(sys.modules, "sniffio", None)

    async def scenario(loop: SkippingLoop) -> list[tuple[float, object]]:
        bench.registry = CollectorRegistry()
        bench.manager = ResilienceManager(bench.registry)
        call = make_awaited_call(bench.manager, server, limits[0])
        await asyncio.gather(call(), call())
        server.proxy.freeze()
        loop.is_skipping = True
        return await asyncio.gather(*(time_awaited(call) for _ in range(TASKS)))

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        loop = cast("SkippingLoop", runner.get_loop())
        with loop.installed():
            timed = runner.run(scenario(loop))
    waits_s, ended = zip(*timed, strict=True)
    assert loop.waits < MANY
    check_waits(bench, [*waits_s], [*ended], limits[1])
