"""hyx: decorators for asyncio, each on its own; put around one another by the user."""

from __future__ import annotations

from typing import Any

import hyx.circuitbreaker.exceptions
import hyx.timeout.exceptions
from hyx.bulkhead import bulkhead
from hyx.bulkhead.exceptions import BulkheadFull
from hyx.circuitbreaker import consecutive_breaker
from hyx.fallback import fallback
from hyx.ratelimit import tokenbucket
from hyx.ratelimit.exceptions import RateLimitExceeded
from hyx.retry import retry
from hyx.timeout import timeout

from benchmarks import vocabulary_limits as vocabulary
from benchmarks.vocabulary import ATTEMPTS, NEVER, RECOVERY_S, Operation, Payload
from benchmarks.vocabulary_limits import (
    ATTEMPT_S,
    LIMIT_S,
    Guarded,
    nest_decorators,
    nothing_to_nest,
    return_fallback_async,
)
from resilience_bench import PayloadError, Unsupported


class Fallbacks(vocabulary.Fallbacks):
    """The decorator of a fallback around that of a breaker."""

    def guard_async(self, payload: Payload, source: str, fail_max: int = NEVER) -> Guarded:
        """Answer by a coroutine function, which gets the exception."""
        if source == "stale":
            raise Unsupported("it keeps no last good value")
        answer: Any = return_fallback_async
        if source == "other":
            answer = _breaker()(answer)
        return Guarded(fallback(answer)(_breaker(fail_max)(payload)))


class Timeouts(vocabulary.Timeouts):
    """The decorator of a limit, which makes a task for each call."""

    rejection = hyx.timeout.exceptions.MaxDurationExceeded

    def limit_async(self, payload: Payload, seconds: float) -> Operation:
        """Decorate the payload, inside the running event loop."""
        return timeout(seconds)(payload)

    def limit_attempts_async(self, payload: Payload) -> Operation:
        """Put a limit around a retry around a limit; what it calls attempts are the retries."""
        attempt = timeout(ATTEMPT_S)(payload)
        retrying = retry(on=PayloadError, attempts=ATTEMPTS - 1, backoff=0)
        return timeout(LIMIT_S)(retrying(attempt))


class Bulkheads(vocabulary.Bulkheads):
    """The decorator of a bulkhead: one semaphore for those who run, one for those who wait too."""

    rejection = BulkheadFull

    def guard_async(self, payload: Payload, slots: int, wait_s: float = 0) -> Operation:
        """Let others wait without a limit of time, up to the capacity, or refuse them."""
        return bulkhead(slots, max_capacity=vocabulary.SLOTS if wait_s else slots)(payload)


class RateLimits(vocabulary.RateLimits):
    """The decorator of a token bucket."""

    rejection = RateLimitExceeded

    def guard_async(
        self, payload: Payload, calls: int, period_s: int, algorithm: str = ""
    ) -> Operation:
        """Decorate the payload, inside the running event loop."""
        del algorithm
        return tokenbucket(calls, period_s)(payload)


class Pipelines(vocabulary.Pipelines):
    """Breakers' decorators around one another."""

    def nest_async(self, payload: Payload, depth: int) -> Operation:
        """Decorate so often."""
        nothing_to_nest(depth)
        return nest_decorators(_breaker, payload, depth)


class Everything:
    """The decorators around one another: fallback, limit, bulkhead, retry, breaker."""

    def guard_async(self, payload: Payload) -> Operation:
        """Put them around the payload, inside the running event loop."""
        retrying = retry(on=PayloadError, attempts=ATTEMPTS - 1, backoff=0)
        limited = bulkhead(vocabulary.SLOTS, vocabulary.SLOTS)(retrying(_breaker()(payload)))
        return fallback(return_fallback_async)(timeout(LIMIT_S)(limited))


def _breaker(fail_max: int = NEVER) -> Any:
    return consecutive_breaker(
        failure_threshold=fail_max, recovery_time_secs=RECOVERY_S, recovery_threshold=1
    )
