"""interlock-cb: strategies in one pipeline, for plain functions and coroutine functions alike."""

from __future__ import annotations

import interlock

from benchmarks import vocabulary_limits as vocabulary
from benchmarks.vocabulary import ATTEMPTS, FAILURES_TO_OPEN, NEVER, RECOVERY_S, Operation, Payload
from benchmarks.vocabulary_limits import ATTEMPT_S, LIMIT_S, Guarded, return_fallback
from resilience_bench import PayloadError, Unsupported


class Fallbacks(vocabulary.Fallbacks):
    """The strategy of a fallback around that of a breaker."""

    def guard(self, payload: Payload, source: str, fail_max: int = NEVER) -> Guarded:
        """Answer by a function, which gets the exception."""
        answer = return_fallback
        if source == "stale":
            raise Unsupported("it keeps no last good value")
        if source == "other":
            answer = interlock.Pipeline(_breaker())(answer)
        pipeline = interlock.Pipeline(interlock.FallbackStrategy(answer), _breaker(fail_max))
        return Guarded(pipeline(payload))

    def guard_async(self, payload: Payload, source: str, fail_max: int = NEVER) -> Guarded:
        """Do the same for coroutine functions; the fallback is a plain function there too."""
        if source == "other":
            raise Unsupported("its fallback is a plain function, which cannot await another call")
        return self.guard(payload, source, fail_max)


class Timeouts(vocabulary.Timeouts):
    """The strategy of a limit: asyncio.timeout, or a thread for each call of a plain function."""

    rejection = interlock.CallTimeoutError

    def limit(self, payload: Payload, seconds: float) -> Operation:
        return interlock.Pipeline(interlock.TimeoutStrategy(seconds))(payload)

    def limit_async(self, payload: Payload, seconds: float) -> Operation:
        return interlock.Pipeline(interlock.TimeoutStrategy(seconds))(payload)

    def limit_attempts_async(self, payload: Payload) -> Operation:
        """Put a limit around tenacity's retry around a limit, in one pipeline."""
        import tenacity

        pipeline = (
            interlock.Pipeline.builder()
            .timeout(LIMIT_S)
            .retry(
                attempts=ATTEMPTS,
                retry=tenacity.retry_if_exception_type(PayloadError),
                wait=tenacity.wait_none(),
            )
            .timeout(ATTEMPT_S)
            .build()
        )
        return pipeline(payload)


class Bulkheads(vocabulary.Bulkheads):
    """The strategy of a bulkhead: a semaphore of threading, and one of asyncio."""

    rejection = interlock.BulkheadFullError

    def guard(self, payload: Payload, slots: int, wait_s: float = 0) -> Operation:
        return interlock.Pipeline(interlock.BulkheadStrategy(slots, max_wait=wait_s))(payload)

    def guard_async(self, payload: Payload, slots: int, wait_s: float = 0) -> Operation:
        return self.guard(payload, slots, wait_s)


class Pipelines(vocabulary.Pipelines):
    """One pipeline of so many strategies."""

    def nest(self, payload: Payload, depth: int) -> Operation:
        return interlock.Pipeline(*(_breaker() for _ in range(depth)))(payload)

    def nest_async(self, payload: Payload, depth: int) -> Operation:
        return self.nest(payload, depth)


def _breaker(fail_max: int = NEVER) -> interlock.CircuitBreakerStrategy:
    """Make a breaker as `benchmarks.adapters.interlock` does."""
    config = interlock.Config(
        window_size=FAILURES_TO_OPEN,
        minimum_number_of_calls=fail_max,
        failure_rate_threshold=1.0,
        permitted_calls_in_half_open=1,
        wait_duration_in_open=RECOVERY_S,
    )
    return interlock.CircuitBreakerStrategy(
        interlock.CircuitBreaker(name="benchmark", config=config)
    )
