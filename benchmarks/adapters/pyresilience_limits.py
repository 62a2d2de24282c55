"""pyresilience: one decorator for all its protections, in an order of its own."""

from __future__ import annotations

from functools import partial
from typing import Any

import pyresilience
import pyresilience._executor as executor

from benchmarks import vocabulary_limits as vocabulary
from benchmarks import vocabulary_outages
from benchmarks.vocabulary import (
    ATTEMPTS,
    FAILURES_TO_OPEN,
    NEVER,
    RECOVERY_S,
    Operation,
    Payload,
    keep_awake,
)
from benchmarks.vocabulary_limits import (
    ATTEMPT_S,
    LIMIT_S,
    Guarded,
    nest_decorators,
    return_fallback,
    return_fallback_async,
)
from benchmarks.vocabulary_outages import FIRST_WAIT_S, ON, RESET_S
from resilience_bench import Counted, PayloadError, Unsupported


class Fallbacks(vocabulary.Fallbacks):
    """The decorator with a fallback and a breaker."""

    def guard(self, payload: Payload, source: str, fail_max: int = NEVER) -> Guarded:
        """Answer by a function, which gets the exception."""
        return _answer_by(return_fallback, payload, source, fail_max)

    def guard_async(self, payload: Payload, source: str, fail_max: int = NEVER) -> Guarded:
        """Answer by a coroutine function, which gets the exception."""
        return _answer_by(return_fallback_async, payload, source, fail_max)


def _answer_by(answer: Payload, payload: Payload, source: str, fail_max: int) -> Guarded:
    if source == "stale":
        raise Unsupported("it keeps no last good value")
    if source == "other":
        answer = pyresilience.resilient(circuit_breaker=_circuit())(answer)
    config = pyresilience.FallbackConfig(answer)
    decorate = pyresilience.resilient(fallback=config, circuit_breaker=_circuit(fail_max))
    return Guarded(decorate(payload))


class Timeouts(vocabulary.Timeouts):
    """The decorator with a limit: asyncio.wait_for, or a pool of threads for plain functions."""

    rejection = pyresilience.ResilienceTimeoutError

    def limit(self, payload: Payload, seconds: float) -> Operation:
        """Run the payload in a thread of the pool, and wait for it."""
        return pyresilience.resilient(timeout=pyresilience.TimeoutConfig(seconds))(payload)

    def limit_async(self, payload: Payload, seconds: float) -> Operation:
        return pyresilience.resilient(timeout=pyresilience.TimeoutConfig(seconds))(payload)

    def limit_attempts_async(self, payload: Payload) -> Operation:
        """Put one decorator around another: each has one kind of limit."""
        keep_awake(executor)
        retry = pyresilience.RetryConfig(
            max_attempts=ATTEMPTS, delay=0, jitter=False, retry_on=(PayloadError,)
        )
        attempt = pyresilience.TimeoutConfig(ATTEMPT_S)
        inner = pyresilience.resilient(retry=retry, timeout=attempt)(payload)
        return self.limit_async(inner, LIMIT_S)


class Bulkheads(vocabulary.Bulkheads):
    """The decorator with a bulkhead: a lock and a count, a semaphore where calls wait."""

    rejection = pyresilience.BulkheadFullError

    def guard(self, payload: Payload, slots: int, wait_s: float = 0) -> Operation:
        config = pyresilience.BulkheadConfig(max_concurrent=slots, max_wait=wait_s)
        return pyresilience.resilient(bulkhead=config)(payload)

    def guard_async(self, payload: Payload, slots: int, wait_s: float = 0) -> Operation:
        return self.guard(payload, slots, wait_s)


class RateLimits(vocabulary.RateLimits):
    """The decorator with a token bucket."""

    rejection = pyresilience.RateLimitExceededError

    def guard(self, payload: Payload, calls: int, period_s: int, algorithm: str = "") -> Operation:
        del algorithm
        config = pyresilience.RateLimiterConfig(max_calls=calls, period=period_s)
        return pyresilience.resilient(rate_limiter=config)(payload)

    def guard_async(
        self, payload: Payload, calls: int, period_s: int, algorithm: str = ""
    ) -> Operation:
        return self.guard(payload, calls, period_s, algorithm)


class Everything:
    """One decorator: fallback, breaker, bulkhead, retry, and a limit for all attempts."""

    def guard(self, payload: Payload, fail_max: int = NEVER) -> Operation:
        return _decorate_fully(return_fallback, fail_max)(payload)

    def guard_async(self, payload: Payload) -> Operation:
        return _decorate_fully(return_fallback_async)(payload)


def _decorate_fully(answer: Payload, fail_max: int = NEVER) -> Any:
    keep_awake(executor)
    return pyresilience.resilient(
        fallback=pyresilience.FallbackConfig(answer),
        timeout=pyresilience.TimeoutConfig(LIMIT_S, per_attempt=False),
        bulkhead=pyresilience.BulkheadConfig(max_concurrent=vocabulary.SLOTS),
        retry=pyresilience.RetryConfig(
            max_attempts=ATTEMPTS, delay=0, jitter=False, retry_on=(PayloadError,)
        ),
        circuit_breaker=_circuit(fail_max),
    )


class Outages(vocabulary_outages.Guards):
    """One decorator: retry, breaker, fallback."""

    def guard(self, payload: Payload) -> Operation:
        decorate = pyresilience.resilient(
            retry=pyresilience.RetryConfig(
                max_attempts=ATTEMPTS, delay=FIRST_WAIT_S, jitter=False, retry_on=ON
            ),
            circuit_breaker=pyresilience.CircuitBreakerConfig(
                failure_threshold=FAILURES_TO_OPEN, recovery_timeout=RESET_S, success_threshold=1
            ),
            fallback=pyresilience.FallbackConfig(return_fallback),
        )
        return decorate(payload)


class Telemetry(vocabulary.Telemetry):
    """The decorator with a breaker, and the library's own listeners."""

    def observe(self, payload: Payload, kind: str) -> Operation | Counted:
        """Add a listener; that of OpenTelemetry writes events into a span, made around the call."""
        if kind == "off":
            return pyresilience.resilient(circuit_breaker=_circuit())(payload)
        return _count(payload) if kind == "metrics" else _trace(payload)


def _count(payload: Payload) -> Counted:
    from prometheus_client import REGISTRY
    from pyresilience.contrib.prometheus import PrometheusListener

    listener = PrometheusListener("benchmark")
    # It knows the global registry only, where the next case could not make the same metrics.
    events, durations = listener._event_counter, listener._duration_histogram  # noqa: SLF001
    REGISTRY.unregister(events)
    REGISTRY.unregister(durations)
    guarded = pyresilience.resilient(circuit_breaker=_circuit(), listeners=[listener])(payload)

    def count() -> float:
        samples = next(iter(events.collect())).samples
        return sum(sample.value for sample in samples if sample.name.endswith("_total"))

    return Counted(guarded, count)


def _trace(payload: Payload) -> Counted:
    from opentelemetry.sdk.trace import TracerProvider
    from pyresilience.contrib.otel import OpenTelemetryListener

    spans = vocabulary.SpanCounter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(spans)
    start = provider.get_tracer("benchmark").start_as_current_span
    guarded = pyresilience.resilient(
        circuit_breaker=_circuit(), listeners=[OpenTelemetryListener()]
    )(payload)

    def traced() -> Any:
        with start("call"):
            return guarded()

    return Counted(traced, lambda: spans.ended)


class Health(vocabulary.HealthReports):
    """The library's registry and its report."""

    def read(self, guards: int) -> Operation:
        """Read the report of breakers that have been used."""
        registry = pyresilience.ResilienceRegistry()
        for number in range(guards):
            name = f"dependency-{number}"
            registry.register(name, pyresilience.ResilienceConfig(circuit_breaker=_circuit()))
            registry.decorator(name)(return_fallback)()
        return partial(pyresilience.health_check, registry)


class Pipelines(vocabulary.Pipelines):
    """Decorators around one another; one without settings is the empty pipeline."""

    def nest(self, payload: Payload, depth: int) -> Operation:
        if depth == 0:
            return pyresilience.resilient()(payload)
        return nest_decorators(
            lambda: pyresilience.resilient(circuit_breaker=_circuit()), payload, depth
        )

    def nest_async(self, payload: Payload, depth: int) -> Operation:
        return self.nest(payload, depth)


def _circuit(fail_max: int = NEVER) -> Any:
    return pyresilience.CircuitBreakerConfig(
        failure_threshold=fail_max, recovery_timeout=RECOVERY_S, success_threshold=1
    )
