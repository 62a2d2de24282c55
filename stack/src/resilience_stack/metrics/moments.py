"""What is read of the guards at the moment of a scrape: time in states, calls in flight."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

__all__ = ["Moments", "Observed"]


class Observed(Protocol):
    """What a scrape reads of a guard."""

    @property
    def name(self) -> str:
        """The guard's name."""
        ...

    @property
    def in_flight(self) -> int | None:
        """How many calls are in flight; None where no bulkhead counts them."""
        ...

    @property
    def in_flight_limit(self) -> int | None:
        """How many calls the bulkhead lets in at once; None without a bulkhead."""
        ...

    @property
    def degraded_since_s(self) -> float | None:
        """Since when it is degraded, in seconds since 1970; None if it is not."""
        ...

    def seconds_by_state(self) -> dict[str, float]:
        """How long the breaker has been in each state."""
        ...


class Moments(Collector):
    """Reads the guards when they are scraped, so that calls do not pay for it."""

    def __init__(self) -> None:
        self._guards: list[Observed] = []

    def add(self, guard: Observed) -> None:
        """Read this guard as well from now on."""
        self._guards.append(guard)

    def describe(self) -> Iterable[Metric]:
        """Name the metrics, so that a registry that has them already refuses these."""
        return _make_families()

    def collect(self) -> Iterable[Metric]:
        """Return all series."""
        seconds, in_flight, limits, degraded = _make_families()
        for guard in self._guards.copy():
            for state, spent_s in guard.seconds_by_state().items():
                seconds.add_metric((guard.name, state), spent_s)
            if (flying := guard.in_flight) is not None:
                in_flight.add_metric((guard.name,), flying)
            if (limit := guard.in_flight_limit) is not None:
                limits.add_metric((guard.name,), limit)
            degraded.add_metric((guard.name,), float(guard.degraded_since_s is not None))
        return seconds, in_flight, limits, degraded


def _make_families() -> tuple[
    CounterMetricFamily, GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily
]:
    return (
        CounterMetricFamily(
            "resilience_breaker_state_seconds",
            "How long the breaker has been in each state.",
            labels=("guard", "state"),
        ),
        GaugeMetricFamily(
            "resilience_calls_in_flight",
            "Guarded calls in flight, of guards with a bulkhead.",
            labels=("guard",),
        ),
        GaugeMetricFamily(
            "resilience_bulkhead_limit",
            "Calls that the bulkhead of a guard lets in at once.",
            labels=("guard",),
        ),
        GaugeMetricFamily(
            "resilience_guard_degraded",
            "1 while a guard is forced, open with a fallback, or answers by its fallback.",
            labels=("guard",),
        ),
    )
