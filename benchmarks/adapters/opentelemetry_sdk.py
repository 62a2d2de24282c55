"""OpenTelemetry's SDK: instruments, measurements with attributes, a reader in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import View

from benchmarks import vocabulary
from benchmarks.vocabulary import Operation, Payload
from resilience_bench import Counted, Unsupported


class Metrics(vocabulary.Metrics):
    """Metrics of OpenTelemetry, each case's in a provider of its own."""

    @contextlib.contextmanager
    def opened(self, attributes: int = 0) -> Iterator[Meter]:
        """Open nothing yet; shut the provider down that was made meanwhile."""
        with contextlib.ExitStack() as stack:
            yield Meter(stack, {f"attribute.{n}": f"value {n}" for n in range(attributes)})


class Meter(vocabulary.Meter):
    """Instruments of one provider, whose measurements carry the same attributes."""

    def __init__(self, stack: contextlib.ExitStack, attributes: dict[str, str]) -> None:
        self._stack = stack
        self._attributes = attributes
        self._given = (attributes,) if attributes else ()
        self._reader = InMemoryMetricReader()

    def counter_inc(self) -> Counted:
        """Add one to a counter; the attributes are a dictionary that was made before."""
        counter = self._meter().create_counter("requests")
        return Counted(partial(counter.add, 1, *self._given), self._read)

    def labels_positional_inc(self) -> Counted:
        """Refuse: attributes have names."""
        raise Unsupported("its attributes have names: there is no look-up by position")

    def labels_keyword_inc(self) -> Counted:
        """Add one to a counter; the attributes are made for each call."""
        self._refuse_without_attributes("nothing to look up")
        add = self._meter().create_counter("requests").add
        attributes = self._attributes

        def inc() -> None:
            add(1, {**attributes})

        return Counted(inc, self._read)

    def child_inc(self) -> Counted:
        """Refuse: every call looks its attributes up."""
        raise Unsupported("it has no children to keep: every call looks its attributes up")

    def gauge_set(self) -> Operation:
        """Set a synchronous gauge."""
        with vocabulary.needs("synchronous gauge"):
            gauge = self._meter().create_gauge("in_flight")
        return partial(gauge.set, 3, *self._given)

    def histogram_observe(self) -> Counted:
        """Record a value in a histogram with the default buckets."""
        histogram = self._meter().create_histogram("latency")
        return Counted(partial(histogram.record, 0.2, *self._given), self._read)

    def summary_observe(self) -> Counted:
        """Refuse: there is no such instrument."""
        raise Unsupported("it has no summary")

    def timer(self, payload: Payload) -> Counted:
        """Refuse: the application reads the clock."""
        del payload
        raise Unsupported("it has no timer: the application reads the clock itself")

    def multiprocess_counter_inc(self, directory: str) -> Counted:
        """Refuse: processes share nothing."""
        del directory
        raise Unsupported("it has no multiprocess mode: every process exports its own metrics")

    def scrape(self, series: int) -> Operation:
        """Collect the data points of a counter with so many values of its first attribute."""
        self._refuse_without_attributes("one series only")
        views = []
        # Newer releases fold what exceeds 2000 series into one; older ones have no limit.
        with contextlib.suppress(TypeError):
            views = [View(instrument_name="*", aggregation_cardinality_limit=series)]
        counter = self._meter(views).create_counter("queue_length")
        for number in range(series):
            counter.add(number, {**self._attributes, "attribute.0": f"queue-{number}"})
        return self._reader.get_metrics_data

    def _meter(self, views: list[View] | None = None) -> Any:
        provider = MeterProvider([self._reader], shutdown_on_exit=False, views=views or ())
        self._stack.callback(provider.shutdown)
        return provider.get_meter("benchmark")

    def _refuse_without_attributes(self, consequence: str) -> None:
        if not self._attributes:
            message = f"without attributes there is {consequence}"
            raise Unsupported(message)

    def _read(self) -> float:
        collected = self._reader.get_metrics_data()
        if collected is None:
            return 0
        [resource] = collected.resource_metrics
        [metric] = resource.scope_metrics[0].metrics
        [point] = metric.data.data_points
        return point.count if hasattr(point, "count") else point.value
