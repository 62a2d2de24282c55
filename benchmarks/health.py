"""Health: the report on all breakers of a process, and one check of a dependency."""

from __future__ import annotations

from benchmarks.vocabulary import Operation, Payload
from benchmarks.vocabulary_limits import HealthReports
from resilience_bench import Library, scenario

STACK = Library(
    "resilience_stack", "benchmarks.adapters.resilience_stack_edge:Health", ("resilience-stack",)
)
LIBRARIES = (
    Library("interlock_cb", "benchmarks.adapters.interlock_limits:Health", ("interlock-cb",)),
    Library("pyresilience", "benchmarks.adapters.pyresilience_limits:Health", ("pyresilience",)),
    STACK,
)


@scenario(library=LIBRARIES, parameters={"guards": (1, 10, 100)}, payload_calls=0, by_default=False)
def read(library: HealthReports, guards: int) -> Operation:
    """The states of so many closed breakers are read, as a health endpoint would."""
    return library.read(guards)


@scenario(library=(STACK,), returns=True, by_default=False)
def probe(library: HealthReports, payload: Payload) -> Operation:
    """A dependency is checked once, and answers; its breaker is closed."""
    return library.probe(payload)
