"""The metrics of the guards in one registry of prometheus_client."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from resilience_stack.metrics.durations import Durations
from resilience_stack.metrics.exposition import Quiet
from resilience_stack.metrics.fallbacks import Fallbacks
from resilience_stack.metrics.moments import Moments
from resilience_stack.metrics.processes import ProcessFiles, is_multiprocess

__all__ = ["GuardMetrics", "Metrics"]

BOUNDS_S: Final = Histogram.DEFAULT_BUCKETS
STATES: Final = {"closed": 0, "half-open": 1, "open": 2}
"""The states of a breaker, and the values of its gauge."""
TRANSITIONS: Final = (
    ("closed", "open"),
    ("open", "half-open"),
    ("half-open", "open"),
    ("half-open", "closed"),
    ("open", "closed"),
)
"""The changes of state that there are; the last one is that of a probe, or by hand."""
COUNTERS: Final = (
    ("resilience_retries", "Attempts after the first.", ("guard",)),
    (
        "resilience_retry_budget_exhausted",
        "Retries that were not made because the retry budget was used up.",
        ("guard",),
    ),
    ("resilience_fallback_failures", "Functions of a fallback that raised.", ("guard",)),
    (
        "resilience_breaker_transitions",
        "Changes of the breaker from one state to another.",
        ("guard", "from", "to"),
    ),
)
"""The counters of prometheus_client that a guard has: name, what it counts, labels."""
SOURCES: Final = ("stale", "default", "other")


class Metrics:
    """The metrics of all guards of a manager."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Register the metrics.

        Args:
            registry: Where; by default prometheus_client's own.

        Raises:
            ValueError: If the registry has them already: one manager a registry.
        """
        self.registry = REGISTRY if registry is None else registry
        self._more: dict[str, Counter] = {}
        self._lock = threading.Lock()
        self.calls, self.moments, self.fallbacks = _Calls(), Moments(), Fallbacks()
        counters = [
            Counter(name, documentation, labels, registry=None)
            for name, documentation, labels in COUNTERS
        ]
        self.retries, self.exhausted, self.fallback_failures, self.transitions = counters
        self.state = Gauge(
            "resilience_breaker_state",
            "State of the breaker: 0 closed, 1 half-open, 2 open.",
            ["guard"],
            registry=None,
            multiprocess_mode="livemax",
        )
        self.of_all_guards = Quiet(
            (self.calls, self.fallbacks, self.moments, *counters, self.state)
        )
        self.registry.register(self.of_all_guards)
        self.files = (
            ProcessFiles((self.calls, self.fallbacks, self.moments), self._reset_locks)
            if is_multiprocess()
            else None
        )

    def _reset_locks(self) -> None:
        self.calls.reset_locks()
        self.fallbacks.reset_locks()

    def counter(self, name: str, documentation: str, labels: tuple[str, ...]) -> Counter:
        """Return the counter of this name, which an integration counts; a new one at first."""
        with self._lock:
            if name not in self._more:
                self._more[name] = Counter(name, documentation, labels, registry=self.registry)
            return self._more[name]


class _Calls(Collector):
    def __init__(self) -> None:
        self._durations: dict[tuple[str, str], Durations] = {}

    def of(self, guard: str, outcome: str) -> Durations:
        """Return where the calls of a guard with this outcome are noted."""
        return self._durations.setdefault((guard, outcome), Durations(BOUNDS_S))

    def describe(self) -> Iterable[Metric]:
        """Name the metrics, so that a registry that has them already refuses these."""
        return _families()

    def reset_locks(self) -> None:
        """Forget who held the locks, in a process that was forked."""
        for durations in self._durations.values():
            durations.reset_lock()

    def collect(self) -> Iterable[Metric]:
        """Return all series; what was noted until now is in them."""
        calls, seconds = _families()
        bounds = [*map(str, BOUNDS_S[:-1]), "+Inf"]
        for labels, durations in self._durations.copy().items():
            counts, sum_s = durations.total()
            calls.add_metric(labels, counts[-1])
            buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = list(
                zip(bounds, counts, strict=True)
            )
            for number, exemplar in durations.exemplars.copy().items():
                buckets[number] = bounds[number], counts[number], exemplar
            seconds.add_metric(labels, buckets, sum_s)
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
        self.failure = metrics.calls.of(guard, "failure")
        self.rejected = metrics.calls.of(guard, "rejected")
        self.counter = metrics.counter
        self.answers = ignored
        """The exceptions that are answers of a healthy dependency."""
        self.count_retry = metrics.retries.labels(guard).inc
        self.count_exhaustion = metrics.exhausted.labels(guard).inc
        self.count_fallback = {source: metrics.fallbacks.count(guard, source) for source in SOURCES}
        self.count_fallback_failure = metrics.fallback_failures.labels(guard).inc
        self._state = metrics.state.labels(guard)
        self._transitions = {
            (before, after): metrics.transitions.labels(guard, before, after)
            for before, after in TRANSITIONS
        }

    def count_calls(self) -> int:
        """Return how many calls have ended, whatever their outcome."""
        return self.success.count() + self.failure.count() + self.rejected.count()

    def count_transition(self, before: str, after: str) -> None:
        """Count a change of the breaker's state."""
        self._transitions[before, after].inc()
        self._state.set(STATES[after])
