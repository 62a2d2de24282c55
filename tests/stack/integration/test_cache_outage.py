"""Many callers of a cache in an outage: one opened breaker, nothing leaked, a quiet recovery."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from resilience_bench.servers.proxy import Proxy
from resilience_stack import ProbeSettings
from resilience_stack.integrations.redis import AsyncCache, Cache, policy
from tests.stack.bench import PATIENCE_S, Bench, in_tasks, in_threads
from tests.stack.integration.caches import limited
from tests.stack.integration.processes import wait_for_threads, wait_until
from tests.stack.integration.redis_server import RedisServer

pytestmark = pytest.mark.needs("redis-server", "setpriv")
THREADS = 64
TASKS = 1000
CONNECTIONS = 16


def count_within(bench: Bench, seconds: str) -> float | None:
    """How many failed calls took no longer; their limit is a second, the pool's own is twenty."""
    return bench.sample("call_seconds_bucket", "cache", outcome="failure", le=seconds)


def test_threads_in_an_outage(bench: Bench, redis_server: RedisServer) -> None:
    """64 threads meet a frozen server: the breaker opens once, each call is a miss or refused."""
    guard = bench.manager.guard("cache", policy(deadline_s=60))
    before = threading.enumerate()
    with Cache(guard, redis_server.url, max_connections=CONNECTIONS) as cache:
        assert cache.set("key", "value", ttl_s=600)

        def get_limited() -> object:
            with limited(1.0):
                return cache.get("key")

        redis_server.freeze()
        found = in_threads(*[lambda: [get_limited() for _ in range(3)]] * THREADS)
        assert found == [[None] * 3] * THREADS
        redis_server.thaw()
        successes, failures, rejected = bench.calls("cache")
        assert (successes, (failures or 0) + (rejected or 0)) == (1, 3 * THREADS)
        assert 5 <= (failures or 0) <= THREADS + 4  # who fails before it opens calls once more
        assert bench.transitions() == {"open": 1, "half-open": 0, "closed": 0}
        assert bench.sample("cache_reads_total", "cache", result="error") == 3 * THREADS
        assert count_within(bench, "10.0") == failures
        bench.now_s += 60
        assert in_threads(*[lambda: cache.get("key")] * THREADS).count(b"value") >= 1
        assert cache.get("key") == b"value"
        assert redis_server.count_clients() <= CONNECTIONS
    wait_for_threads(before)
    wait_until(lambda: redis_server.count_clients() == 0, "all connections are closed")


def test_tasks_in_an_outage(bench: Bench, redis_server: RedisServer) -> None:
    """1,000 tasks meet a frozen server: likewise."""
    guard = bench.manager.guard("cache", policy(deadline_s=60))

    async def scenario() -> None:
        async with AsyncCache(guard, redis_server.url, max_connections=CONNECTIONS) as cache:
            assert await cache.set("key", "value", ttl_s=600)
            redis_server.freeze()
            with limited(1.0):
                found = await asyncio.gather(*(cache.get("key") for _ in range(TASKS)))
            assert found == [None] * TASKS
            assert await cache.get("key") is None
            redis_server.thaw()
            successes, failures, rejected = bench.calls("cache")
            assert (successes, (failures or 0) + (rejected or 0)) == (1, TASKS + 1)
            assert rejected
            assert count_within(bench, "10.0") == failures
            assert bench.transitions() == {"open": 1, "half-open": 0, "closed": 0}
            bench.now_s += 60
            assert await cache.get("key") == b"value"
            found = await asyncio.gather(*(cache.get("key") for _ in range(TASKS)))
            assert found == [b"value"] * TASKS
            assert redis_server.count_clients() <= CONNECTIONS
            assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())
    wait_until(lambda: redis_server.count_clients() == 0, "all connections are closed")


def test_cancelled_tasks_give_their_connections_back(
    bench: Bench, redis_server: RedisServer
) -> None:
    """Tasks that are cancelled in the middle of a command leave no connection behind."""
    guard = bench.manager.guard("cache", policy(deadline_s=60))

    async def scenario() -> None:
        async with AsyncCache(guard, redis_server.url, max_connections=4) as cache:
            for _ in range(3):
                redis_server.freeze()
                tasks = [asyncio.create_task(cache.get("key")) for _ in range(20)]
                await asyncio.sleep(0.05)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                redis_server.thaw()
                assert await cache.set("key", "value", ttl_s=600)
            assert await asyncio.gather(*(cache.get("key") for _ in range(20))) == [b"value"] * 20

    asyncio.run(scenario())
    assert guard.state == "closed"
    wait_until(lambda: redis_server.count_clients() == 0, "all connections are closed")


SERVICE = """
import asyncio, signal, sys
from prometheus_client import REGISTRY
from resilience_stack import ResilienceManager
from resilience_stack.integrations.redis import AsyncCache, Cache, policy

guard = ResilienceManager().guard("cache", policy(deadline_s=600))

def end(number, frame):
    raise SystemExit

async def read():
    async with AsyncCache(guard, sys.argv[1]) as cache:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
        await cache.get("key")

try:
    if sys.argv[2] == "plain":
        with Cache(guard, sys.argv[1]) as cache:
            signal.signal(signal.SIGTERM, end)
            cache.get("key")
    else:
        asyncio.run(read())
except (SystemExit, asyncio.CancelledError):
    labels = {"guard": "cache", "outcome": "failure"}
    print(guard.state, REGISTRY.get_sample_value("resilience_calls_total", labels))
"""


@pytest.mark.parametrize("kind", ["plain", "awaited"])
def test_sigterm_in_the_middle(redis_proxy: Proxy, kind: str) -> None:
    """A process that is asked to end while it waits for a frozen cache ends, and blames nobody."""
    redis_proxy.freeze()
    url = f"redis://127.0.0.1:{redis_proxy.port}/0"
    command = [sys.executable, "-W", "error", "-c", SERVICE, url, kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        wait_until(lambda: redis_proxy.connections == 1, "the service has begun to read")
        process.terminate()
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert output == "closed 1\n"


@pytest.mark.parametrize("kind", ["plain", "awaited"])
def test_recovery_by_a_probe(bench: Bench, redis_server: RedisServer, kind: str) -> None:
    """The probe closes the breaker once the server answers, and no call fails after that."""
    guard = bench.manager.guard("cache", policy(deadline_s=30, fail_max=2))

    probe = bench.manager.probe(
        "cache", lambda: redis_server.ask("PING"), ProbeSettings(trips_after=1)
    )
    redis_server.kill()
    assert not probe.check_once()
    assert guard.state == "open"
    redis_server.restart()
    assert probe.check_once()
    if kind == "plain":
        with Cache(guard, redis_server.url) as cache:
            in_threads(*[lambda: cache.get("key")] * THREADS)
    else:

        async def ask() -> None:
            async with AsyncCache(guard, redis_server.url) as cache:
                await asyncio.gather(*(cache.get("key") for _ in range(THREADS)))

        in_tasks(ask)
    assert bench.calls("cache") == (THREADS, 0, 0)
    assert bench.transitions() == {"open": 1, "half-open": 0, "closed": 1}
