"""pybreaker: consecutive failures, one lock around the whole call, wall-clock time."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from operator import attrgetter
from typing import Any

import pybreaker

from benchmarks import vocabulary
from benchmarks.vocabulary import FAILURES_TO_OPEN, RECOVERY_S, Operation, Payload
from resilience_bench import Unsupported


class Breakers(vocabulary.Breakers):
    """Breakers of pybreaker."""

    rejection = pybreaker.CircuitBreakerError

    def breaker(
        self,
        *,
        fail_max: int = FAILURES_TO_OPEN,
        exclude: type[BaseException] | None = None,
        listener: bool = False,
        manual_time: bool = False,
    ) -> _Breaker:
        """Make a breaker; its memory storage is handed in, so that its time can be moved."""
        del manual_time
        storage = pybreaker.CircuitMemoryStorage(pybreaker.STATE_CLOSED)
        breaker = pybreaker.CircuitBreaker(
            fail_max=fail_max,
            reset_timeout=RECOVERY_S,
            exclude=[exclude] if exclude else None,
            listeners=[pybreaker.CircuitBreakerListener()] if listener else None,
            state_storage=storage,
        )
        return _Breaker(breaker, storage)

    def construct(self, payload: Payload) -> Operation:
        """Make a breaker object."""
        del payload
        return partial(
            pybreaker.CircuitBreaker, fail_max=FAILURES_TO_OPEN, reset_timeout=RECOVERY_S
        )


class _Breaker(vocabulary.Breaker):
    def __init__(
        self, breaker: pybreaker.CircuitBreaker, storage: pybreaker.CircuitMemoryStorage
    ) -> None:
        self._breaker = breaker
        self._storage = storage

    def guard(self, payload: Payload, *args: object, **kwargs: object) -> Operation:
        return partial(self._breaker.call, payload, *args, **kwargs)

    def decorated(self, payload: Payload) -> Operation:
        return self._breaker(payload)

    def block(self, payload: Payload) -> Operation:
        with vocabulary.needs("context manager"):
            calling = self._breaker.calling

        def block() -> Any:
            with calling():
                return payload()

        return block

    def block_async(self, payload: Payload) -> Operation:
        """Await the payload in a ``with`` block, which needs no Tornado."""
        with vocabulary.needs("context manager"):
            calling = self._breaker.calling

        async def block() -> Any:
            with calling():
                return await payload()

        return block

    def guard_async(self, payload: Payload) -> Operation:
        if not pybreaker.HAS_TORNADO_SUPPORT:
            raise Unsupported("its async calls run on Tornado, which is not installed")
        call_async = self._breaker.call_async

        async def guarded() -> Any:
            return await call_async(payload)

        return guarded

    def read_state(self) -> Operation:
        return partial(attrgetter("current_state"), self._breaker)

    def failures(self) -> float:
        return self._breaker.fail_counter

    def elapse(self) -> None:
        self._storage.opened_at -= timedelta(seconds=RECOVERY_S)
