"""Telemetry: a call through a closed breaker that reports nothing, is counted, or is a span."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any

from benchmarks.vocabulary import NEVER, Operation, Payload
from benchmarks.vocabulary_limits import Telemetry
from resilience_bench import Counted, Library, scenario

LIBRARIES = (
    Library(
        "interlock_cb",
        "benchmarks.adapters.interlock_limits:Telemetry",
        ("interlock-cb", "opentelemetry-sdk"),
    ),
    Library(
        "pyresilience",
        "benchmarks.adapters.pyresilience_limits:Telemetry",
        ("pyresilience", "prometheus-client", "opentelemetry-sdk"),
    ),
    Library(
        "resilience_stack",
        "benchmarks.adapters.resilience_stack_edge:Telemetry",
        ("resilience-stack", "opentelemetry-sdk"),
    ),
)
METRICS = "benchmarks.adapters.prometheus_client:Metrics"
IN_FILES = (
    Library(
        "pybreaker",
        ("benchmarks.adapters.pybreaker:Breakers", METRICS),
        ("pybreaker", "prometheus-client"),
    ),
    Library(
        "pyresilience",
        ("benchmarks.adapters.pyresilience_limits:Telemetry", METRICS),
        ("pyresilience", "prometheus-client"),
    ),
    Library(
        "resilience_stack",
        ("benchmarks.adapters.resilience_stack_edge:Telemetry", METRICS),
        ("resilience-stack", "prometheus-client"),
    ),
)
"""Measured with metrics of prometheus_client: a counter around a breaker, and the library's own."""
KINDS = {"telemetry": ("off", "metrics", "spans")}


@scenario(library=LIBRARIES, parameters=KINDS, by_default=False)
def success(library: Telemetry, payload: Payload, telemetry: str) -> Operation | Counted:
    """A call succeeds inside a closed breaker, and is reported or not."""
    return library.observe(payload, telemetry)


@scenario(library=IN_FILES, by_default=False)
def multiprocess_success(library: tuple[Any, Any], payload: Payload) -> Iterator[Counted]:
    """A call succeeds inside a closed breaker, and is counted in files that processes share."""
    reports, metrics = library
    with tempfile.TemporaryDirectory() as directory, metrics.opened() as meter:
        with meter.multiprocess(directory):
            if not isinstance(reports, Telemetry):
                guarded = reports.breaker(fail_max=NEVER).decorated(payload)
                counted = meter.counting(guarded, "success", cached=False)
            else:
                counted = reports.observe(payload, "metrics")
            counted.operation()  # where the labels of a call are looked up, their files are made
        try:
            yield counted
        finally:
            if isinstance(reports, Telemetry):
                reports.close()
