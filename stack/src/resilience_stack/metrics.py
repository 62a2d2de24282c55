"""The metrics of the guards in one registry of prometheus_client."""

from __future__ import annotations

from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge

STATES: Final = {"closed": 0, "half-open": 1, "open": 2}
"""The states of a breaker, and the values of its gauge."""


class Metrics:
    """The metrics of all guards of a manager."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Register the metrics.

        Args:
            registry: Where; by default prometheus_client's own.

        Raises:
            ValueError: If the registry has them already: one manager a registry.
        """
        where = REGISTRY if registry is None else registry
        self.calls = Counter(
            "resilience_calls",
            "Guarded calls, by outcome; its retries belong to a call.",
            ["guard", "outcome"],
            registry=where,
        )
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


class GuardMetrics:
    """The metrics of one guard, with their labels looked up."""

    __slots__ = ("_state", "_transitions", "failure", "rejected", "retry", "success")

    def __init__(self, metrics: Metrics, guard: str) -> None:
        self.success = metrics.calls.labels(guard, "success").inc
        self.failure = metrics.calls.labels(guard, "failure").inc
        self.rejected = metrics.calls.labels(guard, "rejected").inc
        self.retry = metrics.retries.labels(guard).inc
        self._state = metrics.state.labels(guard)
        self._transitions = {state: metrics.transitions.labels(guard, state) for state in STATES}

    def breaker_went(self, state: str) -> None:
        """Note the new state of the breaker."""
        self._transitions[state].inc()
        self._state.set(STATES[state])
