"""aiobreaker: consecutive failures, no lock, wall-clock time."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from operator import attrgetter

import aiobreaker
from aiobreaker.state import CircuitBreakerState
from aiobreaker.storage.memory import CircuitMemoryStorage

from benchmarks import vocabulary
from benchmarks.vocabulary import FAILURES_TO_OPEN, RECOVERY_S, Operation, Payload

RECOVERY = timedelta(seconds=RECOVERY_S)


class Breakers(vocabulary.Breakers):
    """Breakers of aiobreaker."""

    rejection = aiobreaker.CircuitBreakerError

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
        storage = CircuitMemoryStorage(CircuitBreakerState.CLOSED)
        with vocabulary.needs("timeout_duration"):
            breaker = aiobreaker.CircuitBreaker(
                fail_max=fail_max,
                timeout_duration=RECOVERY,
                exclude=[exclude] if exclude else None,
                listeners=[aiobreaker.CircuitBreakerListener()] if listener else None,
                state_storage=storage,
            )
        return _Breaker(breaker, storage)

    def construct(self, payload: Payload) -> Operation:
        """Make a breaker object."""
        del payload
        return partial(
            aiobreaker.CircuitBreaker, fail_max=FAILURES_TO_OPEN, timeout_duration=RECOVERY
        )


class _Breaker(vocabulary.Breaker):
    def __init__(self, breaker: aiobreaker.CircuitBreaker, storage: CircuitMemoryStorage) -> None:
        self._breaker = breaker
        self._storage = storage

    def guard(self, payload: Payload, *args: object, **kwargs: object) -> Operation:
        return partial(self._breaker.call, payload, *args, **kwargs)

    def decorated(self, payload: Payload) -> Operation:
        return self._breaker(payload)

    def guard_async(self, payload: Payload) -> Operation:
        return partial(self._breaker.call_async, payload)

    def read_state(self) -> Operation:
        return partial(attrgetter("current_state"), self._breaker)

    def failures(self) -> float:
        return self._breaker.fail_counter

    def elapse(self) -> None:
        self._storage.opened_at -= RECOVERY
