"""circuitbreaker: consecutive failures, no lock, monotonic time."""

from __future__ import annotations

import inspect
from datetime import datetime, timedelta
from functools import partial
from operator import attrgetter

import circuitbreaker

from benchmarks import vocabulary, vocabulary_limits
from benchmarks.vocabulary import FAILURES_TO_OPEN, NEVER, RECOVERY_S, Operation, Payload
from benchmarks.vocabulary_limits import Guarded, return_fallback, return_fallback_async
from resilience_bench import Unsupported

NAME = "benchmark"
"""One name for all breakers: the library keeps every name that it decorated in a global table."""


class Breakers(vocabulary.Breakers):
    """Breakers of circuitbreaker."""

    rejection = circuitbreaker.CircuitBreakerError

    def breaker(
        self,
        *,
        fail_max: int = FAILURES_TO_OPEN,
        exclude: type[BaseException] | None = None,
        listener: bool = False,
        manual_time: bool = False,
    ) -> _Breaker:
        """Make a breaker; an exception is excluded by expecting another one only."""
        del manual_time
        if listener:
            raise Unsupported("it has no listeners")
        expected = ConnectionError if exclude else Exception
        return _Breaker(
            circuitbreaker.CircuitBreaker(
                failure_threshold=fail_max,
                recovery_timeout=RECOVERY_S,
                expected_exception=expected,
                name=NAME,
            )
        )

    def construct(self, payload: Payload) -> Operation:
        """Make a breaker object, which no function is decorated with."""
        del payload
        return partial(
            circuitbreaker.CircuitBreaker,
            failure_threshold=FAILURES_TO_OPEN,
            recovery_timeout=RECOVERY_S,
            name=NAME,
        )


class _Breaker(vocabulary.Breaker):
    def __init__(self, breaker: circuitbreaker.CircuitBreaker) -> None:
        self._breaker = breaker
        # Old releases record a date, newer ones seconds.
        dated = isinstance(breaker._opened, datetime)  # noqa: SLF001
        self._recovery = timedelta(seconds=RECOVERY_S) if dated else RECOVERY_S

    def guard(self, payload: Payload, *args: object, **kwargs: object) -> Operation:
        # Not breaker.call(): it counts, but does not look whether the breaker is open.
        guarded = self._breaker.decorate(payload)
        return partial(guarded, *args, **kwargs) if args or kwargs else guarded

    def decorated(self, payload: Payload) -> Operation:
        return self._breaker(payload)

    def block(self, payload: Payload) -> Operation:
        del payload
        raise Unsupported("its with block counts failures, but never rejects: not a guard")

    def guard_async(self, payload: Payload) -> Operation:
        guarded = self._breaker.decorate(payload)
        if not inspect.iscoroutinefunction(guarded):
            # Before 2.0 it called the function, and never awaited what came out.
            raise Unsupported("this release has no asyncio support")
        return guarded

    def read_state(self) -> Operation:
        return partial(attrgetter("state"), self._breaker)

    def failures(self) -> float:
        return self._breaker.failure_count

    def elapse(self) -> None:
        # The only record of the opening; open_until and open_remaining are computed from it.
        self._breaker._opened -= self._recovery  # noqa: SLF001


class Fallbacks(vocabulary_limits.Fallbacks):
    """The breaker's own fallback, which answers its rejections and nothing else."""

    def guard(self, payload: Payload, source: str, fail_max: int = NEVER) -> Guarded:
        return _answer_by(return_fallback, payload, source, fail_max)

    def guard_async(self, payload: Payload, source: str, fail_max: int = NEVER) -> Guarded:
        return _answer_by(return_fallback_async, payload, source, fail_max)


def _answer_by(answer: Payload, payload: Payload, source: str, fail_max: int) -> Guarded:
    if source == "stale":
        raise Unsupported("it keeps no last good value")
    if source == "other":
        answer = circuitbreaker.CircuitBreaker(NEVER, RECOVERY_S, name=NAME)(answer)
    breaker = circuitbreaker.CircuitBreaker(
        fail_max, RECOVERY_S, name=NAME, fallback_function=answer
    )
    return Guarded(breaker(payload))
