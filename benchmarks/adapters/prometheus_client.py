"""prometheus_client: one lock a value, children by label values, text for the scrape."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import partial
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Summary,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector

from benchmarks import vocabulary
from benchmarks.vocabulary import LABELS, Operation, Payload
from resilience_bench import Counted

DIRECTORY_VARIABLES = ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir")
"""Where the library looks for the folder of its files; before 0.10 in lower case."""


class Metrics(vocabulary.Metrics):
    """Metrics of prometheus_client, each case's in a registry of its own."""

    @contextlib.contextmanager
    def opened(self, attributes: int = 0) -> Iterator[Meter]:
        """Open nothing but a registry; close the files of multiprocess mode."""
        del attributes
        with contextlib.ExitStack() as stack:
            yield Meter(stack)


class Meter(vocabulary.Meter):
    """Metrics in one registry."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._registry = CollectorRegistry()

    def counter_inc(self) -> Counted:
        """Raise a counter without labels by one."""
        counter = Counter("requests", "Requests.", registry=self._registry)
        return Counted(counter.inc, self._reads("requests_total"))

    def labels_positional_inc(self) -> Counted:
        """Look the child up by position, then raise it by one."""
        labels = self._labelled_counter().labels

        def inc() -> None:
            labels("GET", "200").inc()

        return Counted(inc, self._reads("requests_total", LABELS))

    def labels_keyword_inc(self) -> Counted:
        """Look the child up by name, then raise it by one."""
        labels = self._labelled_counter().labels

        def inc() -> None:
            labels(method="GET", status="200").inc()

        return Counted(inc, self._reads("requests_total", LABELS))

    def child_inc(self) -> Counted:
        """Raise a child by one."""
        child = self._labelled_counter().labels(**LABELS)
        return Counted(child.inc, self._reads("requests_total", LABELS))

    def construct_child(self) -> Operation:
        """Make a child and remove it, so that children do not pile up over millions of calls."""
        counter = self._labelled_counter()
        labels, remove, values = counter.labels, counter.remove, tuple(LABELS.values())

        def made_and_removed() -> object:
            child = labels(*values)
            remove(*values)
            return child

        return made_and_removed

    def gauge_set(self) -> Operation:
        """Set a gauge."""
        return partial(Gauge("in_flight", "In flight.", registry=self._registry).set, 3)

    def histogram_observe(self) -> Counted:
        """Observe a value that falls into the seventh of the fifteen default buckets."""
        histogram = self._histogram()
        return Counted(partial(histogram.observe, 0.2), self._reads("latency_seconds_count"))

    def summary_observe(self) -> Counted:
        """Observe a value in a summary, which is a count and a sum."""
        summary = Summary("latency_seconds", "Latency.", registry=self._registry)
        return Counted(partial(summary.observe, 0.2), self._reads("latency_seconds_count"))

    def timer(self, payload: Payload) -> Counted:
        """Time a block into a histogram."""
        time = self._histogram().time

        def timed() -> Any:
            with time():
                return payload()

        return Counted(timed, self._reads("latency_seconds_count"))

    def multiprocess_counter_inc(self, directory: str) -> Counted:
        """Raise a counter in a mapped file by one; what is counted is read from the file."""
        with self.multiprocess(directory):
            counter = Counter("requests", "Requests.", registry=None)
        collected = CollectorRegistry()
        MultiProcessCollector(collected, path=directory)
        return Counted(counter.inc, partial(collected.get_sample_value, "requests_total"))

    @contextlib.contextmanager
    def multiprocess(self, directory: str) -> Iterator[None]:
        """Keep the values of all metrics that are made inside the block in files."""
        value_class = values.MultiProcessValue()
        _open_directories.append(directory)
        self._stack.callback(_open_directories.remove, directory)
        # Absent from old releases, which close their files when they are collected.
        self._stack.callback(getattr(value_class, "close_all_files", bool))
        with _multiprocess(directory, value_class):
            yield

    def scrape(self, series: int) -> Operation:
        """Write the text of a gauge with so many label values."""
        gauge = Gauge("queue_length", "Queue length.", ["method", "queue"], registry=self._registry)
        for number in range(series):
            gauge.labels("GET", f"queue-{number}").set(number)
        return partial(generate_latest, self._registry)

    def counting(self, payload: Payload, outcome: str, *, cached: bool) -> Counted:
        """Count each run of the payload by its outcome.

        Args:
            payload: What is run.
            outcome: Which outcome is read back: success or failure.
            cached: Whether the two children are looked up once, before.
        """
        counter = self._attempts()
        attempt = _counts_children(counter, payload) if cached else _looks_up(counter, payload)
        return Counted(attempt, self._reads("attempts_total", {"outcome": outcome}))

    def counting_async(self, payload: Payload, outcome: str) -> Counted:
        """Count each run of a coroutine function by its outcome, and look the labels up each time.

        Args:
            payload: What is run.
            outcome: Which outcome is read back: success or failure.
        """
        attempt = _looks_up_async(self._attempts(), payload)
        return Counted(attempt, self._reads("attempts_total", {"outcome": outcome}))

    def _attempts(self) -> Counter:
        return Counter("attempts", "Attempts.", ["outcome"], registry=self._registry)

    def _labelled_counter(self) -> Counter:
        return Counter("requests", "Requests.", list(LABELS), registry=self._registry)

    def _histogram(self) -> Histogram:
        return Histogram("latency_seconds", "Latency.", registry=self._registry)

    def _reads(self, sample: str, labels: dict[str, str] | None = None) -> Any:
        return lambda: self._registry.get_sample_value(sample, labels) or 0


def _counts_children(counter: Counter, payload: Payload) -> Payload:
    succeeded, failed = counter.labels("success"), counter.labels("failure")

    def attempt() -> Any:
        try:
            result = payload()
        except Exception:
            failed.inc()
            raise
        succeeded.inc()
        return result

    return attempt


def _looks_up(counter: Counter, payload: Payload) -> Payload:
    def attempt() -> Any:
        try:
            result = payload()
        except Exception:
            counter.labels("failure").inc()
            raise
        counter.labels("success").inc()
        return result

    return attempt


def _looks_up_async(counter: Counter, payload: Payload) -> Payload:
    async def attempt() -> Any:
        try:
            result = await payload()
        except Exception:
            counter.labels("failure").inc()
            raise
        counter.labels("success").inc()
        return result

    return attempt


_open_directories: list[str] = []


@contextlib.contextmanager
def _multiprocess(directory: str, value_class: type) -> Iterator[None]:
    """Make metrics of multiprocess mode inside the block, and none outside of it.

    The library reads both when a metric is made, and decides for the whole process by the
    environment at its import; the other cases of this process must not notice.
    """
    before, values.ValueClass = values.ValueClass, value_class
    os.environ.update(dict.fromkeys(DIRECTORY_VARIABLES, directory))
    try:
        yield
    finally:
        values.ValueClass = before
        for variable in DIRECTORY_VARIABLES:
            del os.environ[variable]


def _name_directory_after_fork() -> None:
    # A forked process opens files of its own, and asks the environment where.
    if _open_directories:
        os.environ.update(dict.fromkeys(DIRECTORY_VARIABLES, _open_directories[-1]))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_name_directory_after_fork)
