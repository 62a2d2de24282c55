"""Connections of redis-py with the guard's limits in them, and without retries of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import redis
from redis import asyncio as aredis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from resilience_stack.core.deadline import remaining_s
from resilience_stack.core.guard import Guard

try:
    from redis.maint_notifications import MaintNotificationsConfig
except ImportError:  # before redis-py 6.5
    MaintNotificationsConfig = None  # type: ignore[assignment,misc]

__all__ = ["make_async_pool", "make_pool"]

STANDARD_S: Final = 1.0
"""The limit of a command of a guard whose policy has none."""
LEAST_S: Final = 0.001
"""A socket takes a limit of 0 for "do not wait at all", which is another mode."""


def find_limit_s(standard_s: float) -> float:
    """Return how long the driver may wait now: its limit, or what is left of the call's."""
    left_s = remaining_s()
    return standard_s if left_s is None else max(min(standard_s, left_s), LEAST_S)


if TYPE_CHECKING:
    _Base = redis.Connection
else:  # mixed into redis-py's classes of connections, for TCP, TLS and Unix sockets
    _Base = object


class LimitedConnection(_Base):
    """Mixed into a class of connections: each wait is no longer than what is left of the call.

    redis-py sets the limits of a socket when it is connected. Here they are set anew before each
    command and each answer, so that an answer that comes in parts has no more time either.
    """

    _standard_s = STANDARD_S

    def connect(self) -> None:
        """Connect, within what is left."""
        self._limit()
        super().connect()  # type: ignore[no-untyped-call]

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # noqa: FBT001, FBT002 - redis-py's
        """Send a command, within what is left."""
        self._limit()
        super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """Read an answer, within what is left."""
        self._limit()
        return super().read_response(*args, **kwargs)

    def _limit(self) -> None:
        limit_s = find_limit_s(self._standard_s)
        self.socket_timeout = self.socket_connect_timeout = limit_s
        sock = self._sock
        if sock is not None:
            sock.settimeout(limit_s)


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
    """
    settings, limit_s = _find_settings(guard, Retry(NoBackoff(), 0), options)
    pool: LimitedPool = _from_url(LimitedPool, guard, url, settings)
    kind = pool.connection_class
    pool.connection_class = type(
        f"Limited{kind.__name__}", (LimitedConnection, kind), {"_standard_s": limit_s}
    )
    return pool


def make_async_pool(guard: Guard, url: str, options: dict[str, Any]) -> AsyncLimitedPool:
    """Return a pool for coroutines; nothing is connected yet.

    Raises:
        ValueError: If it is no URL of a redis; the text has the guard, and not the URL.
    """
    settings, _ = _find_settings(guard, AsyncRetry(NoBackoff(), 0), options)
    made: AsyncLimitedPool = _from_url(AsyncLimitedPool, guard, url, settings)
    return made


def _find_settings(
    guard: Guard, retry: Retry | AsyncRetry, options: dict[str, Any]
) -> tuple[dict[str, Any], float]:
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


def _from_url(kind: Any, guard: Guard, url: str, settings: dict[str, Any]) -> Any:
    try:
        pool = kind.from_url(url, **settings)
    except ValueError as error:
        message = (
            f"guard {guard.name!r}: the URL of the cache is not one, expected "
            "redis://host:port/0, rediss://host:port/0 or unix:///path?db=0"
        )
        raise ValueError(message) from (None if "://" in str(error) else error)
    # Whatever the URL asked for.
    pool.connection_kwargs["retry"] = settings["retry"]
    return pool
