"""pybreaker: consecutive failures, one lock around the whole call, wall-clock time."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from operator import attrgetter
from time import monotonic
from typing import Any

import pybreaker

from benchmarks import vocabulary, vocabulary_limits, vocabulary_outages
from benchmarks.vocabulary import FAILURES_TO_OPEN, NEVER, RECOVERY_S, Operation, Payload
from benchmarks.vocabulary_limits import (
    STALE_S,
    Guarded,
    nest_decorators,
    nothing_to_nest,
    return_fallback,
    return_fallback_async,
)
from benchmarks.vocabulary_outages import RESET_S
from resilience_bench import Unsupported

NOTHING_KEPT = (None, -float("inf"))


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


class Fallbacks(vocabulary_limits.Fallbacks):
    """The obvious fallback: ``try`` around the breaker, and a dictionary of last good values."""

    def guard(self, payload: Payload, source: str, fail_max: int = NEVER) -> Guarded:
        """Catch what comes out of the breaker."""
        call = _make_breaker(fail_max)(payload)
        if source == "stale":
            return Guarded(_remember(call))
        answer = return_fallback if source == "default" else _make_breaker()(return_fallback)

        def guarded() -> Any:
            try:
                return call()
            except Exception:  # noqa: BLE001 - whatever it is, there is an answer
                return answer()

        return Guarded(guarded)

    def guard_async(self, payload: Payload, source: str, fail_max: int = NEVER) -> Guarded:
        """Catch what comes out of the breaker's ``with`` block."""
        call = _block_async(_make_breaker(fail_max), payload)
        if source == "stale":
            return Guarded(_remember_async(call))
        answer: Payload = return_fallback_async
        if source == "other":
            answer = _block_async(_make_breaker(), answer)

        async def guarded() -> Any:
            try:
                return await call()
            except Exception:  # noqa: BLE001 - whatever it is, there is an answer
                return await answer()

        return Guarded(guarded)


class Outages(vocabulary_outages.Guards):
    """A breaker that recovers soon."""

    def guard(self, payload: Payload) -> Operation:
        return pybreaker.CircuitBreaker(fail_max=FAILURES_TO_OPEN, reset_timeout=RESET_S)(payload)


class Pipelines(vocabulary_limits.Pipelines):
    """Decorators around one another, or ``with`` blocks in coroutines."""

    def nest(self, payload: Payload, depth: int) -> Operation:
        nothing_to_nest(depth)
        return nest_decorators(_make_breaker, payload, depth)

    def nest_async(self, payload: Payload, depth: int) -> Operation:
        nothing_to_nest(depth)
        return nest_decorators(lambda: partial(_block_async, _make_breaker()), payload, depth)


def _make_breaker(fail_max: int = NEVER) -> pybreaker.CircuitBreaker:
    return pybreaker.CircuitBreaker(fail_max=fail_max, reset_timeout=RECOVERY_S)


def _block_async(breaker: pybreaker.CircuitBreaker, payload: Payload) -> Operation:
    with vocabulary.needs("context manager"):
        calling = breaker.calling

    async def block(*args: object) -> Any:
        with calling():
            return await payload(*args)

    return block


def _remember(call: Operation) -> Operation:
    values: dict[tuple[Any, ...], tuple[Any, float]] = {}

    def guarded(*args: object) -> Any:
        try:
            value = call(*args)
        except Exception:
            value, kept_s = values.get(args, NOTHING_KEPT)
            if monotonic() - kept_s > STALE_S:
                raise
            return value
        values[args] = value, monotonic()
        return value

    return guarded


def _remember_async(call: Operation) -> Operation:
    values: dict[tuple[Any, ...], tuple[Any, float]] = {}

    async def guarded(*args: object) -> Any:
        try:
            value = await call(*args)
        except Exception:
            value, kept_s = values.get(args, NOTHING_KEPT)
            if monotonic() - kept_s > STALE_S:
                raise
            return value
        values[args] = value, monotonic()
        return value

    return guarded
