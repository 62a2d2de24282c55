"""What a scrape says of the guards: their families, with a block for each guard."""

from __future__ import annotations

import os
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, multiprocess
from prometheus_client.exposition import choose_encoder

from resilience_stack.metrics.exposition import Breather, Family
from resilience_stack.metrics.lines import CallLines, Lines, Series, Values
from resilience_stack.metrics.moments import Observed
from resilience_stack.metrics.registry import (
    BOUNDS_S,
    SOURCES,
    TRANSITIONS,
    GuardMetrics,
    Metrics,
)

__all__ = ["GuardText"]

BOUNDS: Final = (*map(str, BOUNDS_S[:-1]), "+Inf")


class GuardText:
    """The text of a scrape: that of the guards by itself, the rest by prometheus_client.

    prometheus_client makes an object and several strings for each of some 70 series a guard, at
    each scrape. Here a guard that was not called since the last scrape costs a comparison.
    """

    def __init__(self, metrics: Metrics) -> None:
        """Begin without guards.

        Args:
            metrics: Where the guards count, and the registry of everything else.
        """
        self._metrics = metrics
        self._guards: list[tuple[Lines | CallLines, ...]] = []
        self._families = {
            metric.name: Family(metric) for metric in metrics.of_all_guards.describe()
        }

    def add(self, guard: Observed, metrics: GuardMetrics) -> None:
        """Write of this guard as well from now on."""
        calls = [
            CallLines({"guard": guard.name, "outcome": outcome}, getattr(metrics, outcome), BOUNDS)
            for outcome in ("success", "failure", "rejected")
        ]
        lines: tuple[Lines | CallLines, ...] = (
            *calls,
            _make_counts(guard.name, self._metrics),
            _make_seconds(guard),
            _make_gauges(guard),
        )
        for each in lines:
            for position, family in enumerate(each.families):
                self._families[family].entries.append((each, position))
        self._guards.append(lines)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return the text of a scrape and its content type, by what the scraper accepts."""
        encode, content_type = choose_encoder(accept)
        self.flush()
        if self._metrics.files is not None:
            gathered = CollectorRegistry()
            folder = os.environ["PROMETHEUS_MULTIPROC_DIR"]
            multiprocess.MultiProcessCollector(gathered, folder)  # type: ignore[no-untyped-call]
            return encode(gathered), content_type
        as_openmetrics = content_type.startswith("application/openmetrics-text")
        breather = Breather()
        for lines in self._guards.copy():
            for each in lines:
                each.refresh()
            breather.breathe()
        pieces: list[bytes] = []
        for family in self._families.values():
            pieces += family.write(breather, as_openmetrics=as_openmetrics)
        with self._metrics.of_all_guards.left_out():
            pieces.append(encode(self._metrics.registry))
        # To join bytes, and no str, lets other threads run meanwhile if there are many.
        return b"".join(pieces), content_type

    def flush(self) -> None:
        """Write the counts to the files that several processes share, where there are any."""
        if self._metrics.files is not None:
            self._metrics.files.write()


def _make_counts(guard: str, metrics: Metrics) -> Lines:
    """Return the lines of what prometheus_client counts of the guard, of its state and answers."""
    labels = {"guard": guard}
    children: list[Counter | Gauge] = []
    series: dict[str, list[Series]] = {}
    for name, counter in (
        ("resilience_retries", metrics.retries),
        ("resilience_retry_budget_exhausted", metrics.exhausted),
        ("resilience_fallback_failures", metrics.fallback_failures),
    ):
        series[name] = [(f"{name}_total", labels)]
        children.append(counter.labels(guard))
    name = "resilience_breaker_transitions"
    series[name] = [
        (f"{name}_total", {**labels, "from": before, "to": after}) for before, after in TRANSITIONS
    ]
    children += [metrics.transitions.labels(guard, *each) for each in TRANSITIONS]
    name = "resilience_breaker_state"
    series[name] = [(name, labels)]
    children.append(metrics.state.labels(guard))
    name = "resilience_fallbacks"
    series[name] = [(f"{name}_total", {**labels, "source": source}) for source in SOURCES]
    answers = [metrics.fallbacks.of(guard, source) for source in SOURCES]
    # What a metric of prometheus_client holds has no public name; the stack pins its version.
    cells = [child._value for child in children]  # noqa: SLF001

    def read() -> Values:
        values = [cell._value for cell in cells]  # noqa: SLF001 - one float: its lock adds nothing
        return (*values, *[float(answer.total()[0][-1]) for answer in answers])

    return Lines(series, read)


def _make_seconds(guard: Observed) -> Lines:
    """Return the lines of how long the breaker has been in each state."""
    name = "resilience_breaker_state_seconds"
    states = tuple(guard.seconds_by_state())
    return Lines(
        {name: [(f"{name}_total", {"guard": guard.name, "state": state}) for state in states]},
        lambda: tuple(guard.seconds_by_state().values()),
    )


def _make_gauges(guard: Observed) -> Lines:
    """Return the lines of whether the guard is degraded, and of its bulkhead if it has one."""
    names = ["resilience_guard_degraded"]
    if guard.in_flight is not None:
        names += ["resilience_calls_in_flight", "resilience_bulkhead_limit"]

    def read() -> Values:
        is_degraded = guard.degraded_since_s is not None
        if len(names) == 1:
            return (is_degraded,)
        return is_degraded, guard.in_flight, guard.in_flight_limit

    return Lines({name: [(name, {"guard": guard.name})] for name in names}, read, "%d.0")
