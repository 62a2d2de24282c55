"""A cache that fails is a miss, whatever the way in which it fails, and each failure is counted."""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resilience_bench.servers.proxy import Proxy
from resilience_stack.integrations.redis import AsyncCache, Cache, policy
from tests.stack.bench import Bench
from tests.stack.integration.caches import KINDS, Caller, limited
from tests.stack.integration.processes import reserve_port
from tests.stack.integration.redis_server import RedisServer

pytestmark = pytest.mark.needs("redis-server", "setpriv")
MakeCache = Callable[..., Caller]
VALUE = b"v" * 100


def counted(bench: Bench) -> dict[str, float | None]:
    """What a scrape says of the cache's guard, without what is 0."""
    named = {
        "retries": bench.sample("retries_total", "cache"),
        **{result: bench.sample("cache_reads_total", "cache", result=result) for result in READS},
        **{
            f"write: {reason}": bench.sample("cache_failed_writes_total", "cache", reason=reason)
            for reason in ("connection", "timeout", "rejected", "out_of_memory", "read_only")
        },
    }
    return {name: value for name, value in named.items() if value}


READS = ("hit", "miss", "stale", "error")


def test_server_killed_and_started_again(
    bench: Bench, make_cache: MakeCache, redis_server: RedisServer
) -> None:
    """An outage is so many misses, one opened breaker, and one probe after it is over."""
    cache = make_cache(redis_server.port)
    assert cache.set("key", VALUE)
    assert cache.get("key") == VALUE
    redis_server.kill()
    assert [cache.get("key") for _ in range(5)] == [None] * 5
    assert not cache.set("key", VALUE)
    assert bench.calls("cache") == (2, 3, 3)
    assert counted(bench) == {"hit": 1, "error": 5, "write: rejected": 1}
    redis_server.restart()
    bench.now_s += 60
    assert cache.get("key") is None
    assert cache.set("key", VALUE)
    assert [cache.get("key") for _ in range(20)] == [VALUE] * 20
    assert bench.calls("cache") == (24, 3, 3)
    assert bench.transitions() == {"open": 1, "half-open": 1, "closed": 1}
    assert redis_server.count_clients() == 1


def test_server_frozen_longer_than_the_limits(
    bench: Bench, make_cache: MakeCache, redis_server: RedisServer
) -> None:
    """A call ends at its limit, and its late answer is not taken for that of another call."""
    cache = make_cache(redis_server.port)
    assert cache.set("key", VALUE)
    assert cache.set("other", b"other")
    redis_server.freeze()
    with limited():
        assert cache.get("key") is None
    redis_server.thaw()
    assert cache.get("other") == b"other"
    assert bench.calls("cache") == (3, 1, 0)
    assert counted(bench) == {"hit": 1, "error": 1}


@pytest.mark.parametrize("fault", ["cut", "truncated", "truncated silently", "slow"])
def test_broken_answer(
    bench: Bench,
    make_cache: MakeCache,
    redis_server: RedisServer,
    redis_proxy: Proxy,
    fault: str,
) -> None:
    """An answer that is cut, truncated or late is a miss; the server was asked once."""
    cache = make_cache(redis_proxy.port)
    assert cache.set("key", VALUE)
    {
        "cut": lambda: redis_proxy.cut(after_bytes=30),
        "truncated": lambda: redis_proxy.truncate(after_bytes=30),
        "truncated silently": lambda: redis_proxy.truncate(after_bytes=30, silently=True),
        "slow": lambda: redis_proxy.delay(3600),
    }[fault]()
    # Within the short limit the request has to reach the server.
    with limited(2.0 if fault in {"truncated silently", "slow"} else 30):
        assert cache.get("key") is None
    assert redis_server.count_commands("get") == 1
    redis_proxy.pass_through()
    assert cache.get("key") == VALUE
    assert bench.calls("cache") == (2, 1, 0)
    assert counted(bench) == {"hit": 1, "error": 1}
    assert redis_proxy.connections == 2


def test_guard_is_the_only_one_that_retries(
    bench: Bench, make_cache: MakeCache, redis_server: RedisServer, redis_proxy: Proxy
) -> None:
    """Two attempts are two connections and two commands: the driver makes none of its own."""
    cache = make_cache(redis_proxy.port, attempts=3, fail_max=9)
    assert cache.set("key", VALUE)
    redis_proxy.cut(after_bytes=30)
    assert cache.get("key") == VALUE
    assert (redis_proxy.connections, redis_server.count_commands("get")) == (2, 2)
    redis_proxy.refuse()
    assert cache.get("key") is None
    redis_proxy.listen()
    assert bench.calls("cache") == (2, 1, 0)
    assert counted(bench) == {"retries": 3, "hit": 1, "error": 1}
    assert (redis_proxy.connections, redis_server.count_commands("get")) == (2, 2)


def test_commands_that_count_twice_are_not_retried(
    bench: Bench, make_cache: MakeCache, redis_server: RedisServer, redis_proxy: Proxy
) -> None:
    """Where nobody knows whether a command was done, it is done again only if that is harmless."""
    cache = make_cache(redis_proxy.port, attempts=3, fail_max=9)
    client = cache.cache.client
    assert cache.do(client.incr, "number") == 1

    def pipe(name: str) -> object:
        pipeline = client.pipeline(transaction=False)
        getattr(pipeline, name)("number")
        return pipeline.execute()

    for function in (lambda: client.incr("number"), lambda: pipe("incr")):
        assert cache.get("number")  # so that it is the answer that is cut, not the handshake
        redis_proxy.cut(after_bytes=0)
        assert cache.do(cache.cache.write, lambda _, asked=function: asked()) is None
    assert redis_server.ask("GET", "number") == "3"
    assert cache.get("number") == b"3"
    redis_proxy.cut(after_bytes=0)
    assert cache.do(pipe, "get") == [b"3"]
    assert counted(bench) == {"retries": 1, "hit": 3, "write: connection": 2}


def test_pipeline_that_is_refused_is_forgotten(
    bench: Bench, make_cache: MakeCache, redis_server: RedisServer
) -> None:
    """What a pipeline could not execute is not executed with what is queued next."""
    cache = make_cache(redis_server.port)
    pipeline = cache.cache.client.pipeline()
    pipeline.incr("number")
    cache.guard.force("open")
    assert cache.do(cache.cache.write, lambda _: pipeline.execute()) is None
    cache.guard.release()
    pipeline.set("key", "value")
    assert cache.do(pipeline.execute) == [True]
    assert redis_server.ask("EXISTS", "number") == 0
    assert bench.calls("cache") == (1, 0, 1)


def test_attempt_that_is_given_up_is_not_made_again_if_that_counts(
    bench: Bench, make_cache: MakeCache, redis_server: RedisServer, redis_proxy: Proxy
) -> None:
    """An attempt past its limit is retried if it reads, and not if it counts."""
    cache = make_cache(redis_proxy.port, attempts=2, attempt_s=2.0, fail_max=9)
    assert cache.do(cache.cache.client.incr, "number") == 1
    redis_proxy.truncate(silently=True)
    assert cache.get("number") == b"1"
    redis_proxy.truncate(silently=True)
    assert cache.do(cache.cache.write, lambda client: client.incr("number")) is None
    assert redis_server.ask("GET", "number") == "2"
    assert bench.calls("cache") == (2, 1, 0)
    assert counted(bench) == {"retries": 1, "hit": 1, "write: timeout": 1}


def test_pool_exhausted(bench: Bench, make_cache: MakeCache, redis_server: RedisServer) -> None:
    """A call that gets no connection in time is a miss, and the next one is a hit."""
    cache = make_cache(redis_server.port, {"max_connections": 1})
    assert cache.set("key", VALUE)
    pool = cache.cache.client.connection_pool
    taken = cache.do(pool.get_connection)
    with limited():
        assert cache.get("key") is None
    cache.do(pool.release, taken)
    assert cache.get("key") == VALUE
    assert bench.calls("cache") == (2, 1, 0)
    assert redis_server.count_clients() == 1


def test_out_of_memory(
    bench: Bench,
    make_cache: MakeCache,
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Writes fail, are counted and said once; reads go on, and the breaker stays closed."""
    cache = make_cache(redis_server.port)
    assert cache.set("key", VALUE)
    redis_server.ask("CONFIG", "SET", "maxmemory", "1")
    with caplog.at_level(logging.INFO, "resilience_stack"):
        assert not any(cache.set("key", b"new") for _ in range(10))
    assert cache.get("key") == VALUE
    assert bench.calls("cache") == (12, 0, 0)
    assert counted(bench) == {"hit": 1, "write: out_of_memory": 10}
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_read_only_replica(bench: Bench, make_cache: MakeCache, tmp_path: Path) -> None:
    """Writes to a replica fail and are counted; reads go on."""
    dead = str(reserve_port())
    server = RedisServer(tmp_path, "--replicaof", f"127.0.0.1 {dead}", "--replica-read-only", "yes")
    try:
        cache = make_cache(server.port)
        assert not any(cache.set("key", VALUE) for _ in range(5))
        assert cache.get("key") is None
        assert bench.calls("cache") == (6, 0, 0)
        assert counted(bench) == {"miss": 1, "write: read_only": 5}
        # A replica that may not answer with what it has serves nothing: that is a failure.
        server.ask("CONFIG", "SET", "replica-serve-stale-data", "no")
        assert [cache.get("key") for _ in range(4)] == [None] * 4
        assert bench.calls("cache") == (6, 3, 1)
    finally:
        server.stop()


def test_wrong_password_is_no_secret_and_no_storm(
    bench: Bench,
    make_cache: MakeCache,
    redis_server: RedisServer,
    redis_proxy: Proxy,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A refused password is said once, opens the breaker, is not retried and is not shown."""
    redis_server.ask("CONFIG", "SET", "requirepass", "right")
    cache = make_cache(redis_proxy.port, {"password": "hunter2"}, attempts=3)
    with caplog.at_level(logging.DEBUG, "resilience_stack"):
        assert [cache.get("key") for _ in range(20)] == [None] * 20
    assert redis_proxy.connections == 3
    assert bench.calls("cache") == (0, 3, 17)
    assert "hunter2" not in caplog.text
    warned = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.name for record in warned] == ["resilience_stack.redis", "resilience_stack"]
    assert "cache cache" in warned[0].getMessage()
    assert "check those in the URL of the cache" in warned[0].getMessage()


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_that_is_not_there(
    bench: Bench, kind: str, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A number that the server does not have is a miss, and one line says what to check."""
    url = f"redis://127.0.0.1:{redis_server.port}/99"
    with (
        contextlib.closing(Caller(bench, kind, url, attempts=3)) as cache,
        caplog.at_level(logging.WARNING, "resilience_stack"),
    ):
        assert [cache.get("key") for _ in range(5)] == [None] * 5
    assert bench.sample("retries_total", "cache") == 0
    [line] = caplog.messages
    assert "cache cache" in line
    assert "no database of this number: check the one in the URL of the cache" in line


@pytest.mark.parametrize("kind", [Cache, AsyncCache])
@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        (None, {}, "the URL of the cache is NoneType, expected redis://"),
        ("redis://:hunter2@host/orders", {}, "the URL of the cache is not one"),
        ("redis://:hunter2@host:port/0", {}, "the URL of the cache is not one"),
        ("", {}, "the URL of the cache is not one"),
        ("redis://host", {"colour": "red"}, "redis-py refuses an option of the cache .*colour"),
        ("redis://host", {"max_connections": 0}, "max_connections is 0, expected a whole number"),
    ],
)
def test_what_a_cache_refuses(bench: Bench, kind: type, url: Any, options: Any, said: str) -> None:
    """What redis-py would ignore, or raise at the first call, is refused when the cache is made."""
    with pytest.raises((TypeError, ValueError), match=said) as caught:
        kind(bench.manager.guard("cache", policy()), url, **options)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_server_that_is_asked_to_end(
    bench: Bench, make_cache: MakeCache, redis_server: RedisServer
) -> None:
    """A server that ends in order closes its connections: the next call is a miss, as any other."""
    cache = make_cache(redis_server.port)
    assert cache.set("key", VALUE)
    assert redis_server.process.terminate() == 0
    assert [cache.get("key") for _ in range(4)] == [None] * 4
    assert bench.calls("cache") == (1, 3, 1)


def test_bugs_come_out(make_cache: MakeCache, redis_server: RedisServer) -> None:
    """What the caller does wrong is no miss, and says nothing about the server."""
    cache = make_cache(redis_server.port)
    for _ in range(5):
        with pytest.raises(Exception, match="Invalid input of type: 'dict'"):
            cache.do(cache.cache.set, "key", {}, ttl_s=1)
    with pytest.raises(ValueError, match=r"ttl_s is 0, expected seconds: a finite number above 0"):
        cache.do(cache.cache.set, "key", "value", ttl_s=0)
    assert cache.guard.state == "closed"
    with pytest.raises(ValueError, match="guard 'cache': the URL of the cache is not one"):
        type(cache.cache)(cache.guard, "http://user:hunter2@127.0.0.1")
