"""Connections of redis-py that keep to the guard's limits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import redis
from redis import asyncio as aredis
from redis import exceptions

from resilience_stack.core.deadline import remaining_s

__all__ = ["STANDARD_S", "AsyncLimitedConnection", "LimitedConnection", "find_limit_s"]

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
    _AsyncBase = aredis.Connection
else:  # mixed into redis-py's classes of connections, for TCP, TLS and Unix sockets
    _Base = _AsyncBase = object


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


class AsyncLimitedConnection(_AsyncBase):
    """Mixed into a class of connections of coroutines: a cancelled call always ends.

    redis-py sends within `asyncio.wait_for`, which loses a cancellation in Python 3.11 if it
    comes at the moment when all is sent (cpython issue 86296). The guard's deadline cancels.
    """

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # noqa: FBT001, FBT002 - redis-py's
        """Send a command as redis-py does, with the same limit and the same errors.

        Raises:
            ConnectionError: Of redis-py; if the connection is lost.
            TimeoutError: Of redis-py; if the limit of the socket is over before all is sent.
        """
        if not self.is_connected:
            await self.connect()  # type: ignore[no-untyped-call]
        elif check_health:
            await self.check_health()  # type: ignore[no-untyped-call]
        text = command.encode() if isinstance(command, str) else command
        try:
            async with asyncio.timeout(self.socket_timeout or None):
                await self._send_packed_command([text] if isinstance(text, bytes) else text)
        except BaseException as error:
            # What is half sent cannot be finished.
            await self.disconnect(nowait=True)
            if isinstance(error, TimeoutError):
                message = "Timeout writing to socket"
                raise exceptions.TimeoutError(message) from None
            if isinstance(error, OSError):
                message = f"Error while writing to socket: {error}"
                raise exceptions.ConnectionError(message) from error
            raise
