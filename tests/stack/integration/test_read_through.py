"""Read-through: fresh from the cache, or loaded by one caller at a time, or stale within bounds."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.stack.bench import PATIENCE_S, Bench, in_threads
from tests.stack.integration.caches import Caller, limited
from tests.stack.integration.processes import wait_until
from tests.stack.integration.redis_server import RedisServer

pytestmark = pytest.mark.needs("redis-server", "setpriv")
MakeCache = Callable[..., Caller]
LONG = {"ttl_s": 600.0, "stale_s": 600.0}
PATIENT = {"ttl_s": 600.0, "wait_s": PATIENCE_S, "lock_s": 600.0}
"""No lock lapses on a busy machine while its holder loads."""


class Load:
    """Makes a value, and counts how often; or raises."""

    def __init__(self, value: Any = "made") -> None:
        self.value = value
        self.calls = 0
        self.error: Exception | None = None

    def __call__(self) -> Any:
        """Make it."""
        self.calls += 1
        if self.error is not None:
            raise self.error
        return self.value


def reads(bench: Bench) -> dict[str, float]:
    """What a scrape says of the reads, without what is 0."""
    found = {
        result: bench.sample("cache_reads_total", "cache", result=result)
        for result in ("hit", "miss", "stale", "error")
    }
    return {result: value for result, value in found.items() if value}


def age(server: RedisServer, key: str, seconds: float) -> None:
    """Make the value of a key so much older than it is."""
    mark, made, payload = server.ask("GET", key).split(" ", 2)
    aged = f"{mark} {float(made) - seconds:.3f} {payload}"
    server.ask("SET", key, aged, "KEEPTTL")


def test_value_is_loaded_once_and_kept_for_its_times(
    bench: Bench, make_cache: MakeCache, redis_server: RedisServer
) -> None:
    """What was loaded is a hit from then on; redis keeps it for as long as it may be stale."""
    cache, load = make_cache(redis_server.port), Load({"price": 1})
    answers = [cache.answer("key", load, ttl_s=60, stale_s=5400) for _ in range(3)]
    assert [(answer.value, answer.source) for answer in answers] == [({"price": 1}, "live")] * 3
    assert load.calls == 1
    assert 5400 <= redis_server.ask("TTL", "key") <= 5460
    assert redis_server.ask("EXISTS", "key:refreshing") == 0
    assert reads(bench) == {"miss": 1, "hit": 2}


def test_stale_value_answers_a_load_that_fails_up_to_its_bound(
    bench: Bench, make_cache: MakeCache, redis_server: RedisServer
) -> None:
    """A value past its time is used while there is nothing better, and never past its bound."""
    cache, load = make_cache(redis_server.port), Load()
    times = {"ttl_s": 60.0, "stale_s": 60.0}
    cache.answer("key", load, **times)
    load.error = ConnectionError("the database is away")
    age(redis_server, "key", 90)
    stale = cache.answer("key", load, **times)
    assert (stale.value, stale.source) == ("made", "stale")
    assert 90 <= stale.age_s <= 120
    age(redis_server, "key", 60)
    with pytest.raises(ConnectionError, match="the database is away"):
        cache.answer("key", load, **times)
    assert load.calls == 3
    assert redis_server.ask("EXISTS", "key:refreshing") == 0
    assert reads(bench) == {"miss": 2, "stale": 1}


def test_value_past_its_time_is_made_again(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    """A load that succeeds replaces the stale value."""
    cache, load = make_cache(redis_server.port), Load("old")
    cache.answer("key", load, **LONG)
    age(redis_server, "key", 700)
    load.value = "new"
    assert [cache.answer("key", load, **LONG).value for _ in range(2)] == ["new", "new"]
    assert load.calls == 2


@pytest.mark.parametrize("outage", ["killed", "frozen"])
def test_cache_that_is_away_is_read_past(
    bench: Bench, make_cache: MakeCache, redis_server: RedisServer, outage: str
) -> None:
    """Without a cache each call loads; one limit is all that a frozen one costs."""
    cache, load = make_cache(redis_server.port, fail_max=3), Load()
    {"killed": redis_server.kill, "frozen": redis_server.freeze}[outage]()
    answers = []
    for _ in range(10):
        with limited():
            answers.append(cache.answer("key", load, **LONG))
    assert {(answer.value, answer.source) for answer in answers} == {("made", "live")}
    assert load.calls == 10
    assert bench.calls("cache") == (0, 3, 7)
    assert reads(bench) == {"error": 10}


def test_cache_that_takes_nothing_is_read_past(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    """Out of memory there is no lock and no value: the load is called."""
    cache, load = make_cache(redis_server.port), Load()
    redis_server.ask("CONFIG", "SET", "maxmemory", "1")
    assert [cache.answer("key", load, **LONG).value for _ in range(3)] == ["made"] * 3
    assert load.calls == 3


@pytest.mark.parametrize("value", ["", "text", "resilience1", "resilience1 x y", "resilience1 1 {"])
def test_foreign_values_are_misses(
    make_cache: MakeCache, redis_server: RedisServer, value: str
) -> None:
    """What another program has put there is loaded anew, not handed out and not an error."""
    redis_server.ask("SET", "key", value)
    cache, load = make_cache(redis_server.port), Load()
    assert [cache.answer("key", load, **LONG).value for _ in range(2)] == ["made"] * 2
    assert load.calls == 1


def test_dead_holder_of_the_lock_holds_nobody_up_for_ever(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    """A process that died while it loaded has left its lock: the others wait, then load."""
    redis_server.ask("SET", "key:refreshing", "another process", "PX", "600000")
    cache, load = make_cache(redis_server.port), Load()
    assert cache.answer("key", load, wait_s=0.1, **LONG).value == "made"
    assert load.calls == 1
    assert redis_server.ask("GET", "key:refreshing") == "another process"


def test_another_process_is_waited_for(make_cache: MakeCache, redis_server: RedisServer) -> None:
    """What the holder of the lock brings in time is what the others get."""
    redis_server.ask("SET", "key:refreshing", "another process", "PX", "600000")
    packed = f"resilience1 {time.time():.3f} {json.dumps('theirs')}"
    other = threading.Timer(0.1, redis_server.ask, ("SET", "key", packed))
    other.start()
    cache, load = make_cache(redis_server.port), Load()
    assert cache.answer("key", load, wait_s=PATIENCE_S, **LONG).value == "theirs"
    other.join()
    assert load.calls == 0


def test_stale_value_is_given_to_all_but_the_one_who_loads(
    bench: Bench, make_cache: MakeCache, redis_server: RedisServer
) -> None:
    """While somebody of any process refreshes a key, the others get the old value at once."""
    cache, load = make_cache(redis_server.port), Load()
    cache.answer("key", load, **LONG)
    age(redis_server, "key", 700)
    redis_server.ask("SET", "key:refreshing", "another process", "PX", "600000")
    assert cache.answer("key", load, wait_s=PATIENCE_S, **LONG).source == "stale"
    assert load.calls == 1
    assert reads(bench) == {"miss": 1, "stale": 1}


@pytest.mark.parametrize("fails", [False, True])
def test_one_of_many_callers_loads(
    bench: Bench,
    make_cache: MakeCache,
    redis_server: RedisServer,
    fails: bool,  # noqa: FBT001
) -> None:
    """Whoever asks while a key is being loaded gets what that load brings, or how it fails."""
    cache, load, count = make_cache(redis_server.port), Load(), 32
    if fails:
        load.error = ConnectionError("the database is away")

    def all_wait() -> bool:
        return (bench.calls("cache")[0] or 0) >= count + 2  # each a GET; the loader SET and GET

    def load_late() -> Any:
        wait_until(all_wait, "all others have read")
        time.sleep(0.05)
        return load()

    async def load_late_async() -> Any:
        while not all_wait():  # noqa: ASYNC110 - it is metrics that are waited for
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        return load()

    if cache.is_async:

        async def ask() -> list[Any]:
            calls = (
                cache.cache.read_through("key", load_late_async, **PATIENT) for _ in range(count)
            )
            return await asyncio.gather(*calls, return_exceptions=True)

        found = cache.runner.run(ask())
    else:

        def ask_once() -> Any:
            try:
                return cache.cache.read_through("key", load_late, **PATIENT)
            except ConnectionError as error:
                return error

        found = in_threads(*[ask_once] * count)
    assert set(found) == {load.error if fails else "made"}
    assert load.calls == 1


PROCESS = """
import asyncio, sys, time
import redis
from resilience_stack import ResilienceManager
from resilience_stack.integrations.redis import AsyncCache, Cache, policy

_, url, kind = sys.argv
guard = ResilienceManager().guard("cache", policy(deadline_s=30))
past_the_guard = redis.Redis.from_url(url)

def load():
    time.sleep(0.3)
    return past_the_guard.incr("loads")

async def read():
    async def load_async():
        return load()

    async with AsyncCache(guard, url) as cache:
        return await cache.read_through("key", load_async, ttl_s=600, wait_s=300, lock_s=600)

past_the_guard.incr("ready")
while not past_the_guard.get("begin"):
    time.sleep(0.01)
if kind == "plain":
    with Cache(guard, url) as cache:
        print(cache.read_through("key", load, ttl_s=600, wait_s=300, lock_s=600))
else:
    print(asyncio.run(read()))
past_the_guard.close()
"""


def test_one_of_many_processes_loads(redis_server: RedisServer) -> None:
    """Processes that ask for a key at the same time load it once, and all get that value."""
    kinds = ["plain", "awaited"] * 2
    command = [sys.executable, "-W", "error", "-c", PROCESS, redis_server.url]
    processes = [
        subprocess.Popen([*command, kind], stdout=subprocess.PIPE, text=True) for kind in kinds
    ]
    try:
        wait_until(lambda: redis_server.ask("GET", "ready") == str(len(kinds)), "all have begun")
        redis_server.ask("SET", "begin", "now")
        found = [process.communicate(timeout=PATIENCE_S)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert found == ["1\n"] * len(kinds)
    assert redis_server.ask("GET", "loads") == "1"


@pytest.mark.parametrize("name", ["ttl_s", "stale_s", "wait_s", "lock_s"])
def test_times_that_make_no_sense_are_refused(
    make_cache: MakeCache, redis_server: RedisServer, name: str
) -> None:
    """The text has the argument and its value."""
    cache, load = make_cache(redis_server.port), Load()
    with pytest.raises(ValueError, match=f"{name} is -1, expected seconds"):
        cache.answer("key", load, **{"ttl_s": 1, name: -1})
    assert load.calls == 0
