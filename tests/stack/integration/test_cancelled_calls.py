"""Calls of coroutines that are cancelled at any step: no client underneath loses a cancellation."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import text

from resilience_bench.servers.proxy import Proxy
from resilience_stack import ResilienceManager
from resilience_stack.core import timers
from resilience_stack.core.timers import Timer
from resilience_stack.integrations import httpx as guarded_httpx
from resilience_stack.integrations import redis, sqlalchemy
from tests.stack.bench import PATIENCE_S, Bench
from tests.stack.integration.postgresql_server import PostgresqlServer

LONG_S = 3600.0
LIMITS: Final[dict[str, Any]] = {"deadline_s": LONG_S, "fail_max": 100, "attempts": 1}
STEPS = range(21)
"""After so many steps of the event loop, all are past what they do without waiting."""
Call = Callable[[ResilienceManager, int], Awaitable[object]]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Where connections are accepted and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as server:
        yield server.getsockname()[1]


async def read_cache(manager: ResilienceManager, port: int) -> object:
    """Read a key."""
    guard = manager.guard("silent", redis.policy(**LIMITS))
    async with redis.AsyncCache(guard, f"redis://127.0.0.1:{port}/0") as cache:
        return await cache.get("key")


async def ask_database(manager: ResilienceManager, port: int) -> object:
    """Run a unit of work."""
    guard = manager.guard("silent", sqlalchemy.policy(**LIMITS, attempt_s=LONG_S))
    database = sqlalchemy.AsyncDatabase(guard, f"postgresql://nobody@127.0.0.1:{port}/orders")
    try:
        return await database.run(lambda session: session.connection())
    finally:
        await database.close()


async def fetch(manager: ResilienceManager, port: int) -> object:
    """Fetch a page."""
    policy = guarded_httpx.policy(**LIMITS, attempt_s=LONG_S)
    transport = guarded_httpx.AsyncGuardedTransport(manager, policy=policy)
    async with httpx.AsyncClient(transport=transport, timeout=LONG_S) as client:
        return await client.get(f"http://127.0.0.1:{port}/")


ALL = pytest.mark.parametrize("call", [read_cache, ask_database, fetch])


async def cancel_after(steps: int, call: Awaitable[object]) -> None:
    """Cancel a call after so many steps of the event loop, and wait until it is."""
    task = asyncio.ensure_future(call)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=PATIENCE_S)
    assert done, f"cancelled after {steps} steps, and never ended"
    assert task.cancelled(), f"cancelled after {steps} steps, and ended otherwise"


@ALL
def test_a_cancelled_call_ends_at_every_step(bench: Bench, silent_port: int, call: Call) -> None:
    """Whatever it waits for at that moment."""

    async def scenario() -> None:
        for steps in STEPS:
            await cancel_after(steps, call(bench.manager, silent_port))

    asyncio.run(scenario())


@pytest.mark.needs("redis-server", "setpriv")
def test_a_cancelled_command_ends_at_every_step(bench: Bench, redis_proxy: Proxy) -> None:
    """So it does on a connection that is there already, whose server has frozen."""
    guard = bench.manager.guard("cache", redis.policy(**LIMITS))

    async def scenario() -> None:
        url = f"redis://127.0.0.1:{redis_proxy.port}/0"
        async with redis.AsyncCache(guard, url, max_connections=1) as cache:
            for steps in STEPS:
                assert await cache.set("key", "value", ttl_s=600)
                redis_proxy.freeze()
                await cancel_after(steps, cache.get("key"))
                redis_proxy.thaw()
            assert await cache.get("key") == b"value"

    asyncio.run(scenario())
    assert guard.state == "closed"


def test_a_cancelled_statement_ends_at_every_step(
    bench: Bench, postgresql: PostgresqlServer, postgresql_proxy: Proxy
) -> None:
    """Likewise on a connection to a database that has frozen."""
    guard = bench.manager.guard("database", sqlalchemy.policy(**LIMITS, attempt_s=LONG_S))

    async def scenario() -> None:
        database = sqlalchemy.AsyncDatabase(guard, postgresql.url(postgresql_proxy.port))
        ask = database.transaction(lambda session: session.scalar(text("SELECT 1")))
        for steps in STEPS:
            assert await ask() == 1
            postgresql_proxy.freeze()
            await cancel_after(steps, ask())
            postgresql_proxy.thaw()
        await database.close()

    asyncio.run(scenario())
    assert guard.state == "closed"


@ALL
def test_a_deadline_holds_at_every_step(
    bench: Bench, silent_port: int, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cancels as well, and the call is a failure then."""
    skipped_s = 0.0
    now_s = timers.perf_counter
    armed: list[Callable[[], None]] = []
    is_armed = asyncio.Event()

    def arm(timer: Timer, loop: asyncio.AbstractEventLoop, timed: object, _ends_s: float) -> None:
        armed.append(partial(timer._expire, loop, timed))
        is_armed.set()

    async def scenario() -> None:
        nonlocal skipped_s
        for steps in STEPS:
            armed.clear()
            is_armed.clear()
            task = asyncio.ensure_future(call(bench.manager, silent_port))
            await is_armed.wait()
            for _ in range(steps):
                await asyncio.sleep(0)
            skipped_s += LONG_S + 1
            armed[0]()
            done, _ = await asyncio.wait([task], timeout=PATIENCE_S)
            assert done, f"late after {steps} steps, and never ended"
            assert not task.cancelled()
            with contextlib.suppress(TimeoutError, httpx.TimeoutException):
                assert task.result() is None

    monkeypatch.setattr(timers, "perf_counter", lambda: now_s() + skipped_s)
    monkeypatch.setattr(Timer, "_arm", arm)
    asyncio.run(scenario())
