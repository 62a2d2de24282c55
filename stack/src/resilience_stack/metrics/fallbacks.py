"""Calls that a fallback answered: counted as durations are, because an outage counts each call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from math import inf

from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from resilience_stack.metrics.durations import Durations

__all__ = ["Fallbacks"]


class Fallbacks(Collector):
    """The answers of all fallbacks by guard and source, see `Durations` for how they are noted."""

    def __init__(self) -> None:
        self._noted: dict[tuple[str, str], Durations] = {}

    def count(self, guard: str, source: str) -> Callable[[], None]:
        """Return what counts one answer of a guard's fallback from this source."""
        return partial(self.of(guard, source).note, 0.0)

    def of(self, guard: str, source: str) -> Durations:
        """Return where the answers of a guard's fallback from this source are noted."""
        return self._noted.setdefault((guard, source), Durations((inf,)))

    def reset_locks(self) -> None:
        """Forget who held the locks, in a process that was forked."""
        for noted in self._noted.values():
            noted.reset_lock()

    def describe(self) -> Iterable[Metric]:
        """Name the metric, so that a registry that has it already refuses this one."""
        return (_make_family(),)

    def collect(self) -> Iterable[Metric]:
        """Return all series."""
        family = _make_family()
        for labels, noted in self._noted.copy().items():
            family.add_metric(labels, noted.total()[0][-1])
        return (family,)


def _make_family() -> CounterMetricFamily:
    return CounterMetricFamily(
        "resilience_fallbacks",
        "Calls that were answered by the fallback, by the source of the answer.",
        labels=("guard", "source"),
    )
