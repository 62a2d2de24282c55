"""A GET of a Redis that goes down and comes back, with the time limit of a careful caller."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, Final

from resilience_bench.payloads.connections import open_per_thread
from resilience_bench.payloads.redis import KEY, VALUE, close, connect
from resilience_bench.scenarios.payload_definition import ServerAddress, payload

TIMEOUT_S: Final = 0.25
"""A caller waits so long for a connection, and for an answer."""


@payload(server="flaky-redis", distributions=("redis",), returns=VALUE)
def outage(server: ServerAddress) -> Iterator[Callable[[], Any]]:
    """GET 100 bytes; ConnectionError or TimeoutError, both of Python, while the server is down."""
    import redis

    # One connection, which is opened by the first call and says nothing of its own: each call
    # reaches the server once.
    quiet = {"protocol": 2, "driver_info": None, "single_connection_client": True}
    connect_quietly = functools.partial(connect, server, TIMEOUT_S, **quiet)
    with open_per_thread(connect_quietly, close) as per_thread:

        def get() -> Any:
            try:
                client = per_thread.connection
                _drop_dead(client.connection)
                return client.get(KEY)
            except redis.TimeoutError as error:
                raise TimeoutError(str(error)) from error
            except redis.ConnectionError as error:
                raise ConnectionError(str(error)) from error

        yield get


def _drop_dead(connection: Any) -> None:
    """Give up a connection that was reset since its last use, as a pool does before it lends one.

    The next call then opens another one, instead of failing at the dead one.
    """
    import redis

    if connection.is_connected:
        with contextlib.suppress(redis.ConnectionError):  # then it has given up itself
            if connection.can_read():
                connection.disconnect()
