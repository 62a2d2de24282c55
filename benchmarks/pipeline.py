"""Protections inside protections: what the number of layers costs, from none to ten."""

from __future__ import annotations

from benchmarks.vocabulary import Operation, Payload
from benchmarks.vocabulary_limits import Pipelines
from resilience_bench import Library, scenario

DEPTHS = {"depth": (0, 1, 2, 5, 10)}
"""With 0 the pipeline is empty: what a library costs that has nothing to do."""
PLAIN = (
    Library("pybreaker", "benchmarks.adapters.pybreaker:Pipelines", ("pybreaker",)),
    Library("interlock_cb", "benchmarks.adapters.interlock_limits:Pipelines", ("interlock-cb",)),
    Library("pyresilience", "benchmarks.adapters.pyresilience_limits:Pipelines", ("pyresilience",)),
    Library(
        "resilience_stack",
        "benchmarks.adapters.resilience_stack_limits:Pipelines",
        ("resilience-stack",),
    ),
)
ASYNC = (*PLAIN, Library("hyx", "benchmarks.adapters.hyx:Pipelines", ("hyx",)))


@scenario(library=PLAIN, parameters=DEPTHS, by_default=False)
def success(library: Pipelines, payload: Payload, depth: int) -> Operation:
    """A call succeeds inside so many closed breakers."""
    return library.nest(payload, depth)


@scenario(library=ASYNC, parameters=DEPTHS, by_default=False)
async def async_success(library: Pipelines, payload: Payload, depth: int) -> Operation:
    """A coroutine succeeds inside so many closed breakers."""
    return library.nest_async(payload, depth)
