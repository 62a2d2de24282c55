"""What a scrape says of the guards: their families, with a block for each guard."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, multiprocess
from prometheus_client.exposition import choose_encoder

from resilience_stack.metrics.durations import Durations
from resilience_stack.metrics.exposition import Block, Family, Values, render
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
Line = tuple[str, dict[str, str], Callable[[], object]]
"""The end of a metric's name, the labels, and what reads the value."""


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
        self._families = {
            metric.name: Family(metric.name, metric.type, metric.documentation, [])
            for metric in metrics.of_all_guards.describe()
        }

    def add(self, guard: Observed, metrics: GuardMetrics) -> None:
        """Write of this guard as well from now on."""
        name, counts = guard.name, self._metrics
        for outcome in ("success", "failure", "rejected"):
            self._add_calls({"guard": name, "outcome": outcome}, getattr(metrics, outcome))
        answers: list[Line] = [
            (
                "_total",
                {"guard": name, "source": source},
                _count_of(counts.fallbacks.of(name, source)),
            )
            for source in SOURCES
        ]
        self._add("resilience_fallbacks", *answers)
        for family, counter in (
            ("resilience_retries", counts.retries),
            ("resilience_retry_budget_exhausted", counts.exhausted),
            ("resilience_fallback_failures", counts.fallback_failures),
        ):
            self._add(family, ("_total", {"guard": name}, _value_of(counter.labels(name))))
        changes: list[Line] = [
            (
                "_total",
                {"guard": name, "from": before, "to": after},
                _value_of(counts.transitions.labels(name, before, after)),
            )
            for before, after in TRANSITIONS
        ]
        self._add("resilience_breaker_transitions", *changes)
        state = _value_of(counts.state.labels(name))
        self._add("resilience_breaker_state", ("", {"guard": name}, state))
        self._add_moments(guard)

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
        text = render(self._families.values(), as_openmetrics=as_openmetrics)
        with self._metrics.of_all_guards.left_out():
            return text.encode() + encode(self._metrics.registry), content_type

    def flush(self) -> None:
        """Write the counts to the files that several processes share, where there are any."""
        if self._metrics.files is not None:
            self._metrics.files.write()

    def _add(self, family: str, *lines: Line) -> None:
        first, *_ = reads = tuple(read for _, _, read in lines)
        block = Block(
            [(f"{family}{end}", labels) for end, labels, _ in lines],
            (lambda: (first(),))
            if len(reads) == 1
            else (lambda: tuple([read() for read in reads])),
        )
        self._families[family].blocks.append(block)

    def _add_calls(self, labels: dict[str, str], durations: Durations) -> None:
        self._add("resilience_calls", ("_total", labels, _count_of(durations)))
        seconds = "resilience_call_seconds"

        def read() -> Values:
            counts, sum_s = durations.total()
            return (*map(float, counts), float(counts[-1]), sum_s)

        lines = [(f"{seconds}_bucket", {**labels, "le": bound}) for bound in BOUNDS]
        lines += [(f"{seconds}_count", labels), (f"{seconds}_sum", labels)]
        self._families[seconds].blocks.append(Block(lines, read, durations.exemplars))

    def _add_moments(self, guard: Observed) -> None:
        labels = {"guard": guard.name}
        states = tuple(guard.seconds_by_state())
        seconds = "resilience_breaker_state_seconds"
        self._families[seconds].blocks.append(
            Block(
                [(f"{seconds}_total", {**labels, "state": state}) for state in states],
                lambda: tuple(guard.seconds_by_state().values()),
            )
        )
        if guard.in_flight is not None:
            self._add(
                "resilience_calls_in_flight", ("", labels, lambda: float(guard.in_flight or 0))
            )
        if guard.in_flight_limit is not None:
            self._add(
                "resilience_bulkhead_limit", ("", labels, lambda: float(guard.in_flight_limit or 0))
            )
        degraded = ("", labels, lambda: float(guard.degraded_since_s is not None))
        self._add("resilience_guard_degraded", degraded)


def _count_of(durations: Durations) -> Callable[[], object]:
    return lambda: float(durations.count())


def _value_of(child: Counter | Gauge) -> Callable[[], object]:
    # What a metric of prometheus_client holds has no public name; the stack pins its version.
    read: Callable[[], object] = child._value.get  # noqa: SLF001
    return read
