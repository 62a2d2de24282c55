"""interlock-cb: strategies in one pipeline, for plain functions and coroutine functions alike."""

from __future__ import annotations

from typing import Any

import interlock

from benchmarks import vocabulary_limits as vocabulary
from benchmarks import vocabulary_outages
from benchmarks.vocabulary import (
    ATTEMPTS,
    FAILURES_TO_OPEN,
    NEVER,
    RECOVERY_S,
    Operation,
    Payload,
    return_at_once,
)
from benchmarks.vocabulary_limits import ATTEMPT_S, LIMIT_S, Guarded, return_fallback
from benchmarks.vocabulary_outages import FIRST_WAIT_S, ON, RESET_S
from resilience_bench import Counted, PayloadError, Unsupported


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


class Everything:
    """One pipeline: fallback, retry (of tenacity), breaker, bulkhead, limit of an attempt."""

    def guard(self, payload: Payload, fail_max: int = NEVER) -> Operation:
        """Put it around the payload, in the order that its manual recommends."""
        import tenacity

        pipeline = (
            interlock.Pipeline.builder()
            .fallback(return_fallback)
            .retry(
                attempts=ATTEMPTS,
                retry=tenacity.retry_if_exception_type(PayloadError),
                wait=tenacity.wait_none(),
                sleep=return_at_once,
            )
            .add(_breaker(fail_max))
            .bulkhead(vocabulary.SLOTS)
            .timeout(LIMIT_S)
            .build()
        )
        return pipeline(payload)

    def guard_async(self, payload: Payload) -> Operation:
        return self.guard(payload)


class Outages(vocabulary_outages.Guards):
    """One pipeline: fallback, retry (of tenacity), breaker."""

    def guard(self, payload: Payload) -> Operation:
        import tenacity

        config = interlock.Config(
            window_size=FAILURES_TO_OPEN,
            minimum_number_of_calls=FAILURES_TO_OPEN,
            failure_rate_threshold=1.0,
            permitted_calls_in_half_open=1,
            wait_duration_in_open=RESET_S,
        )
        breaker = interlock.CircuitBreaker(name="dependency", config=config)
        pipeline = (
            interlock.Pipeline.builder()
            .fallback(return_fallback)
            .retry(
                attempts=ATTEMPTS,
                retry=tenacity.retry_if_exception_type(ON),
                wait=tenacity.wait_exponential(multiplier=FIRST_WAIT_S),
            )
            .add(interlock.CircuitBreakerStrategy(breaker))
            .build()
        )
        return pipeline(payload)


class Telemetry(vocabulary.Telemetry):
    """A breaker without a listener, or with the library's own for OpenTelemetry."""

    def observe(self, payload: Payload, kind: str) -> Operation | Counted:
        """Record into instruments of OpenTelemetry, which are read in memory."""
        if kind == "off":
            return _make_breaker()(payload)
        if kind == "spans":
            raise Unsupported("it makes no spans")
        from interlock.integrations.otel import OTelEventListener
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader

        reader = InMemoryMetricReader()
        meter = MeterProvider([reader], shutdown_on_exit=False).get_meter("benchmark")
        breaker = _make_breaker(listener=OTelEventListener(meter))

        def count() -> float:
            data = reader.get_metrics_data()
            if data is None:
                return 0
            [metric] = data.resource_metrics[0].scope_metrics[0].metrics
            return metric.data.data_points[0].count

        return Counted(breaker(payload), count)


class Health(vocabulary.HealthReports):
    """The library's registry, whose breakers an application asks one by one."""

    def read(self, guards: int) -> Operation:
        """Read the states into a dictionary."""
        registry = interlock.Registry()
        for number in range(guards):
            registry.get(f"dependency-{number}")

        def report() -> dict[str, str]:
            return {name: str(breaker.state) for name, breaker in registry.items()}

        return report


def _breaker(fail_max: int = NEVER) -> interlock.CircuitBreakerStrategy:
    return interlock.CircuitBreakerStrategy(_make_breaker(fail_max))


def _make_breaker(fail_max: int = NEVER, **more: Any) -> interlock.CircuitBreaker:
    """Make a breaker as `benchmarks.adapters.interlock` does."""
    config = interlock.Config(
        window_size=FAILURES_TO_OPEN,
        minimum_number_of_calls=fail_max,
        failure_rate_threshold=1.0,
        permitted_calls_in_half_open=1,
        wait_duration_in_open=RECOVERY_S,
    )
    return interlock.CircuitBreaker(name="benchmark", config=config, **more)
