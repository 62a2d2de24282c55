"""aiobreaker with its state in Redis: also coroutines ask with a client that blocks their loop."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from functools import partial
from typing import ClassVar

import aiobreaker
from aiobreaker.state import CircuitBreakerState
from aiobreaker.storage.redis import CircuitRedisStorage

from benchmarks.vocabulary import NEVER, RECOVERY_S, Operation, Payload
from benchmarks.vocabulary_shared import SharedBreakers, connect, make_name
from resilience_bench import ServerAddress


class Shared(SharedBreakers):
    """Breakers of aiobreaker."""

    rejection = aiobreaker.CircuitBreakerError
    trips: ClassVar = {"closed_success": 2, "closed_failure": 3, "open_rejection": 3}

    @contextlib.contextmanager
    def opened(
        self, payload: Payload, server: ServerAddress, fail_max: int = NEVER
    ) -> Iterator[Operation]:
        with _make_breaker(server, fail_max) as breaker:
            yield partial(breaker.call, payload)

    @contextlib.asynccontextmanager
    async def opened_async(
        self, payload: Payload, server: ServerAddress, fail_max: int = NEVER
    ) -> AsyncIterator[Operation]:
        with _make_breaker(server, fail_max) as breaker:
            yield partial(breaker.call_async, payload)


@contextlib.contextmanager
def _make_breaker(server: ServerAddress, fail_max: int) -> Iterator[aiobreaker.CircuitBreaker]:
    with connect(server) as client:
        storage = CircuitRedisStorage(CircuitBreakerState.CLOSED, client, make_name())
        yield aiobreaker.CircuitBreaker(
            fail_max, timedelta(seconds=RECOVERY_S), state_storage=storage
        )
