"""purgatory with its state in Redis: it reads the whole state before each call."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import ClassVar

from purgatory import AsyncCircuitBreakerFactory, AsyncRedisUnitOfWork
from purgatory.domain.model import OpenedState

from benchmarks.vocabulary import NEVER, RECOVERY_S, Operation, Payload
from benchmarks.vocabulary_shared import SharedBreakers, make_name
from resilience_bench import ServerAddress, Unsupported


class Shared(SharedBreakers):
    """Breakers of purgatory."""

    rejection = OpenedState
    trips: ClassVar = {"closed_success": 2, "closed_failure": 3, "open_rejection": 2}

    @contextlib.contextmanager
    def opened(
        self, payload: Payload, server: ServerAddress, fail_max: int = NEVER
    ) -> Iterator[Operation]:
        del server, fail_max
        raise Unsupported("its plain breakers call the coroutines of redis.asyncio, and fail")
        yield payload

    @contextlib.asynccontextmanager
    async def opened_async(
        self, payload: Payload, server: ServerAddress, fail_max: int = NEVER
    ) -> AsyncIterator[Operation]:
        uow = AsyncRedisUnitOfWork(f"redis://{server.host}:{server.port}")
        factory = AsyncCircuitBreakerFactory(fail_max, RECOVERY_S, uow=uow)
        await factory.initialize()
        name = make_name()
        try:
            await factory.get_breaker(name)  # the first call would write it down
            yield factory(name)(payload)
        finally:
            await uow.contexts.redis.aclose()
