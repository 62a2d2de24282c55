"""Metrics: what it costs to count, to observe, to time and to be scraped."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

from benchmarks.vocabulary import Metrics, Operation, Payload
from resilience_bench import Counted, Library, Unsupported, scenario

MOST_ATTRIBUTES_OF_10K = 2
"""Making 10 000 series takes longer than collecting them, the more so the more attributes."""

METRICS = (
    Library(
        "prometheus_client",
        "benchmarks.adapters.prometheus_client:Metrics",
        ("prometheus-client",),
    ),
    Library(
        "opentelemetry_sdk",
        "benchmarks.adapters.opentelemetry_sdk:Metrics",
        ("opentelemetry-sdk",),
        {"attributes": (0, 2, 5)},
    ),
    Library("statsd", "benchmarks.adapters.statsd:Metrics", ("statsd",)),
)


@scenario(library=METRICS, payload_calls=0, in_profile=["threads", "mixed"])
def counter_inc(library: Metrics, attributes: int = 0) -> Iterator[Counted]:
    """A counter without labels goes up by one."""
    with library.opened(attributes) as meter:
        yield meter.counter_inc()


@scenario(library=METRICS, payload_calls=0)
def labels_positional_inc(library: Metrics, attributes: int = 0) -> Iterator[Counted]:
    """A labelled counter goes up by one; its labels are looked up by position."""
    with library.opened(attributes) as meter:
        yield meter.labels_positional_inc()


@scenario(library=METRICS, payload_calls=0)
def labels_keyword_inc(library: Metrics, attributes: int = 0) -> Iterator[Counted]:
    """A labelled counter goes up by one; its labels are looked up by name."""
    with library.opened(attributes) as meter:
        yield meter.labels_keyword_inc()


@scenario(library=METRICS, payload_calls=0)
def child_inc(library: Metrics, attributes: int = 0) -> Iterator[Counted]:
    """A labelled counter goes up by one; its labels were looked up once, before."""
    with library.opened(attributes) as meter:
        yield meter.child_inc()


@scenario(library=METRICS, payload_calls=0)
def construct_child(library: Metrics, attributes: int = 0) -> Iterator[Operation]:
    """The child of a labelled counter is made, and the counter forgets it again."""
    with library.opened(attributes) as meter:
        yield meter.construct_child()


@scenario(library=METRICS, payload_calls=0)
def gauge_set(library: Metrics, attributes: int = 0) -> Iterator[Operation | Counted]:
    """A gauge is set."""
    with library.opened(attributes) as meter:
        yield meter.gauge_set()


@scenario(library=METRICS, payload_calls=0)
def histogram_observe(library: Metrics, attributes: int = 0) -> Iterator[Counted]:
    """A histogram observes a value."""
    with library.opened(attributes) as meter:
        yield meter.histogram_observe()


@scenario(library=METRICS, payload_calls=0)
def summary_observe(library: Metrics, attributes: int = 0) -> Iterator[Counted]:
    """A summary observes a value."""
    with library.opened(attributes) as meter:
        yield meter.summary_observe()


@scenario(library=METRICS)
def timer(library: Metrics, payload: Payload, attributes: int = 0) -> Iterator[Counted]:
    """A block is timed, and its time is observed."""
    with library.opened(attributes) as meter:
        yield meter.timer(payload)


@scenario(library=METRICS, payload_calls=0, across_processes=True, in_profile=["processes"])
def multiprocess_counter_inc(library: Metrics, attributes: int = 0) -> Iterator[Counted]:
    """A counter that several processes share through files goes up by one."""
    with tempfile.TemporaryDirectory() as directory, library.opened(attributes) as meter:
        yield meter.multiprocess_counter_inc(directory)


@scenario(library=METRICS, payload_calls=0)
def scrape_100_series(library: Metrics, attributes: int = 0) -> Iterator[Operation]:
    """100 time series are collected for the monitoring system."""
    with library.opened(attributes) as meter:
        yield meter.scrape(100)


@scenario(library=METRICS, payload_calls=0)
def scrape_10k_series(library: Metrics, attributes: int = 0) -> Iterator[Operation]:
    """10 000 time series are collected for the monitoring system."""
    if attributes > MOST_ATTRIBUTES_OF_10K:
        message = f"10 000 series are collected with {MOST_ATTRIBUTES_OF_10K} attributes only"
        raise Unsupported(message)
    with library.opened(attributes) as meter:
        yield meter.scrape(10_000)
