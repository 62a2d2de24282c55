"""The metrics of the guards in one registry of prometheus_client."""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from resilience_stack.durations import Durations

__all__ = ["GuardMetrics", "Metrics"]

BOUNDS_S: Final = Histogram.DEFAULT_BUCKETS
STATES: Final = {"closed": 0, "half-open": 1, "open": 2}
"""The states of a breaker, and the values of its gauge."""


class Metrics:
    """The metrics of all guards of a manager.

    Calls and their durations come from a collector, which prometheus_client's multiprocess mode
    does not see: there only retries, states and transitions are exposed.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Register the metrics.

        Args:
            registry: Where; by default prometheus_client's own.

        Raises:
            ValueError: If the registry has them already: one manager a registry.
        """
        where = REGISTRY if registry is None else registry
        self.calls = _Calls()
        where.register(self.calls)
        self.retries = Counter(
            "resilience_retries", "Attempts after the first.", ["guard"], registry=where
        )
        self.state = Gauge(
            "resilience_breaker_state",
            "State of the breaker: 0 closed, 1 half-open, 2 open.",
            ["guard"],
            registry=where,
        )
        self.transitions = Counter(
            "resilience_breaker_transitions",
            "Changes of the breaker into a state.",
            ["guard", "state"],
            registry=where,
        )


class _Calls(Collector):
    def __init__(self) -> None:
        self._durations: dict[tuple[str, str], Durations] = {}

    def of(self, guard: str, outcome: str) -> Durations:
        """Return where the calls of a guard with this outcome are noted."""
        return self._durations.setdefault((guard, outcome), Durations(BOUNDS_S))

    def describe(self) -> Iterable[Metric]:
        """Name the metrics, so that a registry that has them already refuses these."""
        return _families()

    def collect(self) -> Iterable[Metric]:
        """Return all series; what was noted until now is in them."""
        calls, seconds = _families()
        bounds = [*map(str, BOUNDS_S[:-1]), "+Inf"]
        for labels, durations in self._durations.copy().items():
            counts, sum_s = durations.total()
            calls.add_metric(labels, counts[-1])
            seconds.add_metric(labels, list(zip(bounds, counts, strict=True)), sum_s)
        return calls, seconds


def _families() -> tuple[CounterMetricFamily, HistogramMetricFamily]:
    labels = ("guard", "outcome")
    return (
        CounterMetricFamily(
            "resilience_calls",
            "Guarded calls, by outcome; its retries belong to a call.",
            labels=labels,
        ),
        HistogramMetricFamily(
            "resilience_call_seconds",
            "How long guarded calls took, with their retries and waits.",
            labels=labels,
        ),
    )


class GuardMetrics:
    """The metrics of one guard, with their labels looked up."""

    def __init__(
        self, metrics: Metrics, guard: str, ignored: tuple[type[Exception], ...] = ()
    ) -> None:
        """Look the labels up.

        Args:
            metrics: Those of the manager.
            guard: The guard's name.
            ignored: Exceptions that count as success.
        """
        self.success = metrics.calls.of(guard, "success")
        self._failure = metrics.calls.of(guard, "failure")
        self._rejected = metrics.calls.of(guard, "rejected")
        self._ignored = ignored
        self.retry = metrics.retries.labels(guard).inc
        self._state = metrics.state.labels(guard)
        self._transitions = {state: metrics.transitions.labels(guard, state) for state in STATES}

    def end(
        self, started_s: float, error: BaseException | None = None, *, rejected: bool = False
    ) -> None:
        """Note the end of a call.

        Args:
            started_s: When it began, by ``perf_counter``.
            error: What it raised, if it did.
            rejected: Whether the breaker refused it, or its last attempt.
        """
        if rejected:
            durations = self._rejected
        elif error is None or isinstance(error, self._ignored):
            durations = self.success
        else:
            durations = self._failure
        durations.note(perf_counter() - started_s)

    def breaker_went(self, state: str) -> None:
        """Note the new state of the breaker."""
        self._transitions[state].inc()
        self._state.set(STATES[state])
