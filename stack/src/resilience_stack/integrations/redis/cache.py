"""A cache for plain functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeVar

from resilience_stack.core.fallback import Answer
from resilience_stack.core.guard import Guard
from resilience_stack.integrations.redis.base import CacheBase
from resilience_stack.integrations.redis.clients import GuardedRedis
from resilience_stack.integrations.redis.entries import Times, find_milliseconds
from resilience_stack.integrations.redis.limits import make_pool
from resilience_stack.integrations.redis.refresher import Refresher
from resilience_stack.integrations.redis.settings import FAILURES

__all__ = ["Cache"]

Result = TypeVar("Result")


class Cache(CacheBase):
    """A redis behind a guard: what it does not answer is a miss, what it does not take is counted.

    Attributes:
        client: redis-py's client, each command and pipeline of it through the guard. It raises.
    """

    client: GuardedRedis
    _refresher: Refresher
    _make_refresher = Refresher

    @staticmethod
    def _make_client(guard: Guard, url: str, options: dict[str, Any]) -> GuardedRedis:
        return GuardedRedis(guard, make_pool(guard, url, options))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self.client.close()

    def read(self, read: Callable[[GuardedRedis], Result | None]) -> Result | None:
        """Call a function that reads with the client; None stands for a miss, and a failure."""
        try:
            found = read(self.client)
        except FAILURES as error:
            self._outcomes.note_failed_read(error)
            return None
        self._outcomes.note_read(is_hit=found is not None)
        return found

    def write(self, write: Callable[[GuardedRedis], Result]) -> Result | None:
        """Call a function that writes with the client; a failure is counted, and makes None."""
        try:
            return write(self.client)
        except FAILURES as error:
            self._outcomes.note_failed_write(error)
            return None

    def get(self, key: str) -> Any:
        """Return the value of a key as redis-py gives it; None for a miss."""
        return self.read(lambda client: client.get(key))

    def set(self, key: str, value: bytes | str | float, *, ttl_s: float) -> bool:
        """Keep a value for so many seconds; whether it was taken."""
        milliseconds = find_milliseconds(ttl_s)
        return bool(self.write(lambda client: client.set(key, value, px=milliseconds)))

    def delete(self, *keys: str) -> bool:
        """Drop keys; whether redis has done so, be they there or not."""
        return self.write(lambda client: client.delete(*keys)) is not None

    def expire(self, key: str, *, ttl_s: float) -> bool:
        """Keep a key for so many seconds from now; whether it was there."""
        milliseconds = find_milliseconds(ttl_s)
        return bool(self.write(lambda client: client.pexpire(key, milliseconds)))

    def read_through(  # noqa: PLR0913 - four times, by their names
        self,
        key: str,
        load: Callable[[], Result],
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
        value: Result = self._refresher.answer(key, load, times).value
        return value

    def answer(  # noqa: PLR0913 - likewise
        self,
        key: str,
        load: Callable[[], Result],
        *,
        ttl_s: float,
        stale_s: float = 0.0,
        wait_s: float = 1.0,
        lock_s: float = 10.0,
    ) -> Answer[Result]:
        """Do what `read_through` does, and say whether the value is stale, and how old then."""
        return self._refresher.answer(key, load, Times(ttl_s, stale_s, wait_s, lock_s))
