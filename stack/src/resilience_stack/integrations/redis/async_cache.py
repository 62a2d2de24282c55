"""A cache for coroutines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

from resilience_stack.core.fallback import Answer
from resilience_stack.core.guard import Guard
from resilience_stack.integrations.redis.async_refresher import AsyncRefresher
from resilience_stack.integrations.redis.base import CacheBase
from resilience_stack.integrations.redis.clients import AsyncGuardedRedis
from resilience_stack.integrations.redis.entries import Times, find_milliseconds
from resilience_stack.integrations.redis.limits import make_async_pool
from resilience_stack.integrations.redis.settings import FAILURES

__all__ = ["AsyncCache"]

Result = TypeVar("Result")


class AsyncCache(CacheBase):
    """A redis behind a guard: what it does not answer is a miss, what it does not take is counted.

    Attributes:
        client: redis-py's client, each command and pipeline of it through the guard. It raises.
    """

    client: AsyncGuardedRedis
    _refresher: AsyncRefresher
    _make_refresher = AsyncRefresher

    @staticmethod
    def _make_client(guard: Guard, url: str, options: dict[str, Any]) -> AsyncGuardedRedis:
        return AsyncGuardedRedis(guard, make_async_pool(guard, url, options))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self.client.aclose()

    async def read(
        self, read: Callable[[AsyncGuardedRedis], Awaitable[Result | None]]
    ) -> Result | None:
        """Await a function that reads with the client; None stands for a miss, and a failure."""
        try:
            found = await read(self.client)
        except FAILURES as error:
            self._outcomes.note_failed_read(error)
            return None
        self._outcomes.note_read(is_hit=found is not None)
        return found

    async def write(self, write: Callable[[AsyncGuardedRedis], Awaitable[Result]]) -> Result | None:
        """Await a function that writes with the client; a failure is counted, and makes None."""
        try:
            return await write(self.client)
        except FAILURES as error:
            self._outcomes.note_failed_write(error)
            return None

    async def get(self, key: str) -> Any:
        """Return the value of a key as redis-py gives it; None for a miss."""
        return await self.read(lambda client: client.get(key))

    async def set(self, key: str, value: bytes | str | float, *, ttl_s: float) -> bool:
        """Keep a value for so many seconds; whether it was taken."""
        milliseconds = find_milliseconds(ttl_s)
        return bool(await self.write(lambda client: client.set(key, value, px=milliseconds)))

    async def delete(self, *keys: str) -> bool:
        """Drop keys; whether redis has done so, be they there or not."""
        return await self.write(lambda client: client.delete(*keys)) is not None

    async def expire(self, key: str, *, ttl_s: float) -> bool:
        """Keep a key for so many seconds from now; whether it was there."""
        milliseconds = find_milliseconds(ttl_s)
        return bool(await self.write(lambda client: client.pexpire(key, milliseconds)))

    async def read_through(  # noqa: PLR0913 - four times, by their names
        self,
        key: str,
        load: Callable[[], Awaitable[Result]],
        *,
        ttl_s: float,
        stale_s: float = 0.0,
        wait_s: float = 1.0,
        lock_s: float = 10.0,
    ) -> Result:
        """Return the cached value of a key, or load it and keep it.

        One caller at a time loads; the others get the stale value, or wait for up to ``wait_s``
        and then load themselves. A load that fails is answered with the stale value, too.

        Args:
            key: Under which it is kept; with ":refreshing" behind it, the lock of all processes.
            load: Makes the value.
            ttl_s: So long a value is fresh.
            stale_s: So much longer it may be used where there is nothing better.
            wait_s: So long a caller waits for another one that loads.
            lock_s: So long another process waits for one that has died while it was loading.

        Raises:
            Exception: What ``load`` raised, if there is no stale value either.
        """
        times = Times(ttl_s, stale_s, wait_s, lock_s)
        value: Result = (await self._refresher.answer(key, load, times)).value
        return value

    async def answer(  # noqa: PLR0913 - likewise
        self,
        key: str,
        load: Callable[[], Awaitable[Result]],
        *,
        ttl_s: float,
        stale_s: float = 0.0,
        wait_s: float = 1.0,
        lock_s: float = 10.0,
    ) -> Answer[Result]:
        """Do what `read_through` does, and say whether the value is stale, and how old then."""
        return await self._refresher.answer(key, load, Times(ttl_s, stale_s, wait_s, lock_s))
