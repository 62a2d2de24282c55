"""Read-through when its caller gives up, or a value cannot be turned into bytes or back."""

from __future__ import annotations

import asyncio
import logging
import pickle
import time
from collections.abc import Callable
from typing import Any

import pytest
from redis import exceptions

from tests.stack.bench import PATIENCE_S, Bench, in_threads
from tests.stack.integration.caches import Caller
from tests.stack.integration.processes import wait_until
from tests.stack.integration.redis_server import RedisServer

pytestmark = pytest.mark.needs("redis-server", "setpriv")
MakeCache = Callable[..., Caller]
PATIENT = {"ttl_s": 600.0, "wait_s": PATIENCE_S, "lock_s": 600.0}
COUNT = 16


class GaveUpError(BaseException):
    """Ends a load as an interrupt or a cancellation does."""


class GivesUpOnce:
    """Loads for many who wait; the first time it gives up when all of them do."""

    def __init__(self, all_wait: Callable[[], bool]) -> None:
        self.all_wait = all_wait
        self.calls = 0

    def __call__(self) -> str:
        """Load as a plain function."""
        wait_until(self.all_wait, "all others have read")
        time.sleep(0.05)
        return self._end()

    async def awaited(self) -> str:
        """Load as a coroutine function."""
        while not self.all_wait():  # noqa: ASYNC110 - it is metrics that are waited for
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        return self._end()

    def _end(self) -> str:
        self.calls += 1
        if self.calls == 1:
            raise GaveUpError
        return "made"


def test_when_the_one_who_loads_gives_up_one_other_goes_on(
    bench: Bench, make_cache: MakeCache, redis_server: RedisServer
) -> None:
    """Not all who have waited for it: the database has two calls, and not one for each."""
    caller = make_cache(redis_server.port)
    # Each sends a GET; the loader SET and GET.
    load = GivesUpOnce(lambda: (bench.calls("cache")[0] or 0) >= COUNT + 2)

    def ask() -> str:
        try:
            return str(caller.cache.read_through("key", load, **PATIENT))
        except GaveUpError:
            return "gave up"

    async def ask_async() -> str:
        try:
            return str(await caller.cache.read_through("key", load.awaited, **PATIENT))
        except GaveUpError:
            return "gave up"

    async def ask_all() -> list[str]:
        return await asyncio.gather(*(ask_async() for _ in range(COUNT)))

    found = caller.runner.run(ask_all()) if caller.is_async else in_threads(*[ask] * COUNT)
    assert sorted(found) == ["gave up"] + ["made"] * (COUNT - 1)
    assert load.calls == 2


@pytest.mark.parametrize("error", [TypeError, ValueError, RecursionError])
def test_a_value_that_cannot_be_kept_goes_to_its_caller(
    bench: Bench,
    make_cache: MakeCache,
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
    error: type[Exception],
) -> None:
    """It is counted, and said once: the cache is no reason for an error of the request."""

    def dumps(_value: object) -> bytes:
        raise error("a secret")

    cache = make_cache(redis_server.port, options={"dumps": dumps})
    for _ in range(3):
        load = cache.load_by(lambda: "made")
        assert cache.do(cache.cache.read_through, "key", load, **PATIENT) == "made"
    assert bench.sample("cache_failed_writes_total", "cache", reason="bug") == 3
    [said] = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert error.__name__ in said.getMessage()
    assert "secret" not in said.getMessage()
    assert redis_server.ask("EXISTS", "key:refreshing") == 0


@pytest.mark.parametrize("error", [ValueError, KeyError, pickle.UnpicklingError, AttributeError])
def test_bytes_that_cannot_be_read_are_a_miss(
    make_cache: MakeCache, redis_server: RedisServer, error: type[Exception]
) -> None:
    """Another release of the service has written them, say: the value is made anew."""

    def loads(_data: bytes) -> Any:
        raise error

    cache = make_cache(redis_server.port, options={"loads": loads})
    for value in ("first", "second"):
        load = cache.load_by(lambda value=value: value)  # type: ignore[misc]
        assert cache.do(cache.cache.read_through, "key", load, **PATIENT) == value


@pytest.mark.parametrize("key", [None, 5, b"bytes", ("a",)])
def test_a_key_that_is_no_text_is_refused(
    make_cache: MakeCache, redis_server: RedisServer, key: Any
) -> None:
    """Before anything is sent; the text has the value."""
    cache = make_cache(redis_server.port)
    before = redis_server.count_commands("get")
    with pytest.raises(TypeError, match=r"key is .*expected text"):
        cache.do(cache.cache.read_through, key, cache.load_by(lambda: 1), **PATIENT)
    assert redis_server.count_commands("get") == before


def test_a_missing_server_is_named_with_its_setting(make_cache: MakeCache) -> None:
    """The error of the client says which guard it was, and what to check."""
    cache = make_cache(1)
    with pytest.raises(exceptions.ConnectionError) as caught:
        cache.do(cache.cache.client.get, "key")
    note = caught.value.__notes__[0]
    assert "guard 'cache': no answer from redis" in note
    assert "host and port in the URL of the cache" in note
