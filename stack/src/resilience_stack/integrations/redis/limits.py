"""Pools of redis-py with the guard's limits in them, and without retries of their own."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import redis
from redis import asyncio as aredis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from resilience_stack.core.guard import Guard
from resilience_stack.core.validation import refuse_less_than_one
from resilience_stack.integrations.redis.connections import (
    STANDARD_S,
    AsyncLimitedConnection,
    LimitedConnection,
    find_limit_s,
)

try:
    from redis.maint_notifications import MaintNotificationsConfig
except ImportError:  # before redis-py 6.5
    MaintNotificationsConfig = None  # type: ignore[assignment,misc]

__all__ = ["make_async_pool", "make_pool"]


class LimitedPool(redis.BlockingConnectionPool):
    """A pool whose callers wait for a connection no longer than what is left of the call."""

    wait_s = STANDARD_S

    @property
    def timeout(self) -> float:
        """How long a caller may wait now."""
        return find_limit_s(self.wait_s)

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self.wait_s = seconds


class AsyncLimitedPool(aredis.BlockingConnectionPool):
    """The same for tasks; what else a task waits for, the guard's deadline cancels."""

    wait_s = STANDARD_S

    @property
    def timeout(self) -> float:
        """How long a caller may wait now."""
        return find_limit_s(self.wait_s)

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self.wait_s = seconds


def make_pool(guard: Guard, url: str, options: dict[str, Any]) -> LimitedPool:
    """Return a pool for plain functions; nothing is connected yet.

    Raises:
        ValueError: If it is no URL of a redis; the text has the guard, and not the URL.
        TypeError: If it is no text, or redis-py has no such option; likewise.
    """
    settings, limit_s = _find_settings(guard, Retry(NoBackoff(), 0), options)
    pool: LimitedPool = _from_url(LimitedPool, guard, url, settings)
    kind = pool.connection_class
    pool.connection_class = type(
        f"Limited{kind.__name__}", (LimitedConnection, kind), {"_standard_s": limit_s}
    )
    _try_options(guard, pool)
    return pool


def make_async_pool(guard: Guard, url: str, options: dict[str, Any]) -> AsyncLimitedPool:
    """Return a pool for coroutines; nothing is connected yet.

    Raises:
        ValueError: If it is no URL of a redis; the text has the guard, and not the URL.
        TypeError: If it is no text, or redis-py has no such option; likewise.
    """
    settings, _ = _find_settings(guard, AsyncRetry(NoBackoff(), 0), options)
    pool: AsyncLimitedPool = _from_url(AsyncLimitedPool, guard, url, settings)
    kind = pool.connection_class
    pool.connection_class = type(f"Limited{kind.__name__}", (AsyncLimitedConnection, kind), {})
    _try_options(guard, pool)
    return pool


def _find_settings(
    guard: Guard, retry: Retry | AsyncRetry, options: dict[str, Any]
) -> tuple[dict[str, Any], float]:
    if "max_connections" in options:
        refuse_less_than_one("max_connections", options["max_connections"])
    policy = guard.policy
    limits_s = [one for one in (policy.attempt_s, policy.deadline_s) if one is not None]
    limit_s = min(limits_s, default=STANDARD_S)
    settings = {
        "socket_timeout": limit_s,
        "socket_connect_timeout": limit_s,
        "timeout": limit_s,
        **options,
        # One layer of retries only: the guard's.
        "retry": retry,
        "retry_on_error": [],
        "retry_on_timeout": False,
    }
    if MaintNotificationsConfig is not None:
        # A server that announces maintenance would lengthen the limits.
        settings["maint_notifications_config"] = MaintNotificationsConfig(enabled=False)
    return settings, float(settings["socket_timeout"])


def _try_options(guard: Guard, pool: LimitedPool | AsyncLimitedPool) -> None:
    """Make a connection without connecting it: redis-py would refuse an option at the first call.

    Raises:
        TypeError: If there is no such option.
    """
    try:
        pool.connection_class(**pool.connection_kwargs)
    except TypeError as error:
        message = (
            f"guard {guard.name!r}: redis-py refuses an option of the cache ({error}), expected "
            "those of its connections and of its BlockingConnectionPool"
        )
        raise TypeError(message) from None


def _from_url(kind: Any, guard: Guard, url: str, settings: dict[str, Any]) -> Any:
    expected = "redis://host:port/0, rediss://host:port/0 or unix:///path?db=0"
    if not isinstance(url, str):
        kind_of_url = type(url).__name__
        message = (
            f"guard {guard.name!r}: the URL of the cache is {kind_of_url}, expected {expected}"
        )
        raise TypeError(message)
    try:
        pool = kind.from_url(url, **settings)
        parts = urlsplit(url)
        if parts.scheme != "unix":
            int(parts.path.strip("/") or 0)  # redis-py takes database 0 where it cannot read it
    except ValueError:
        message = f"guard {guard.name!r}: the URL of the cache is not one, expected {expected}"
        raise ValueError(message) from None
    # Whatever the URL asked for.
    pool.connection_kwargs["retry"] = settings["retry"]
    return pool
