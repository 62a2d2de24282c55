"""What adapters of breakers with their state in Redis provide, and the count of what they ask."""

from __future__ import annotations

import contextlib
import functools
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks.vocabulary import NEVER, Operation, Payload
from resilience_bench import Counted, ServerAddress, Unsupported

if TYPE_CHECKING:
    import redis

SETTING_UP = ("auth", "client", "hello", "info", "select")
"""Commands that open a connection, or that count."""


class SharedBreakers:
    """Breakers of a library that keep their state in Redis.

    ``rejection`` is what an open one raises. ``trips`` says how many round trips to Redis a call
    makes, by scenario without ``async_``: the suite refuses a case that makes another number.
    """

    rejection: ClassVar[type[BaseException]]
    trips: ClassVar[Mapping[str, int]]

    @contextlib.contextmanager
    def opened(
        self, payload: Payload, server: ServerAddress, fail_max: int = NEVER
    ) -> Iterator[Operation]:
        """Guard a function, with a state that no other breaker has."""
        del server, fail_max
        raise Unsupported("its breakers in Redis are for coroutines only")
        yield payload

    @contextlib.asynccontextmanager
    async def opened_async(
        self, payload: Payload, server: ServerAddress, fail_max: int = NEVER
    ) -> AsyncIterator[Operation]:
        """Guard a coroutine function, with a state that no other breaker has."""
        del server, fail_max
        raise Unsupported("its breakers in Redis are not for coroutines")
        yield payload


def connect(server: ServerAddress) -> redis.Redis:
    """Connect as an application does that leaves everything as it is."""
    import redis

    return redis.Redis(host=server.host, port=server.port)


def make_name() -> str:
    """Make a name for the state of one breaker."""
    return f"benchmark-{secrets.token_hex(8)}"


@contextlib.contextmanager
def count_trips(operation: Operation, server: ServerAddress, step: int) -> Iterator[Counted]:
    """Count the commands that the server was asked, which is exact if nobody else asks."""
    with connect(server) as client:
        yield Counted(operation, functools.partial(_count_commands, client), step, is_lossy=True)


def _count_commands(client: redis.Redis) -> float:
    statistics: dict[str, Any] = client.info("commandstats")
    names = {key: key.removeprefix("cmdstat_").partition("|")[0] for key in statistics}
    return sum(found["calls"] for key, found in statistics.items() if names[key] not in SETTING_UP)
