"""Telemetry: a call through a closed breaker that reports nothing, is counted, or is a span."""

from __future__ import annotations

from benchmarks.vocabulary import Operation, Payload
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
KINDS = {"telemetry": ("off", "metrics", "spans")}


@scenario(library=LIBRARIES, parameters=KINDS, by_default=False)
def success(library: Telemetry, payload: Payload, telemetry: str) -> Operation | Counted:
    """A call succeeds inside a closed breaker, and is reported or not."""
    return library.observe(payload, telemetry)
