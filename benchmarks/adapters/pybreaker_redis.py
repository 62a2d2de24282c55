"""pybreaker with its state in Redis: it asks while it holds its lock."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import pybreaker

from benchmarks.vocabulary import NEVER, RECOVERY_S, Operation, Payload
from benchmarks.vocabulary_shared import SharedBreakers, connect, make_name
from resilience_bench import ServerAddress


class Shared(SharedBreakers):
    """Breakers of pybreaker."""

    rejection = pybreaker.CircuitBreakerError
    trips: ClassVar = {"closed_success": 2, "closed_failure": 3, "open_rejection": 2}

    @contextlib.contextmanager
    def opened(
        self, payload: Payload, server: ServerAddress, fail_max: int = NEVER
    ) -> Iterator[Operation]:
        with connect(server) as client:
            storage = pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, client, make_name())
            breaker = pybreaker.CircuitBreaker(fail_max, RECOVERY_S, state_storage=storage)
            yield partial(breaker.call, payload)
