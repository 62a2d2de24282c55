"""asyncbreaker with its state in Redis: it reads the state, and writes after each call."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import ClassVar

import asyncbreaker
from asyncbreaker.storage.redis import RedisStorage
from redis.asyncio import Redis

from benchmarks.vocabulary import NEVER, RECOVERY_S, Operation, Payload
from benchmarks.vocabulary_shared import SharedBreakers, make_name
from resilience_bench import ServerAddress


class Shared(SharedBreakers):
    """Breakers of asyncbreaker."""

    rejection = asyncbreaker.CircuitError
    trips: ClassVar = {"closed_success": 2, "closed_failure": 3, "open_rejection": 2}

    @contextlib.asynccontextmanager
    async def opened_async(
        self, payload: Payload, server: ServerAddress, fail_max: int = NEVER
    ) -> AsyncIterator[Operation]:
        async with Redis(host=server.host, port=server.port) as client:
            storage = RedisStorage(redis=client, namespace=make_name())
            await storage.initialize()
            recovery = timedelta(seconds=RECOVERY_S)
            breaker = asyncbreaker.CircuitBreaker(fail_max, recovery, state_storage=storage)
            yield partial(breaker.call, payload)
