"""What a guard costs, and what its callers get, while its dependency goes down and comes back."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from benchmarks import composed
from benchmarks.vocabulary import Operation, Payload
from resilience_bench import Library, scenario

LIMITS = "benchmarks.adapters.{}_limits:Outages"
LIBRARIES = (
    Library(
        "tenacity+pybreaker",
        (
            "benchmarks.adapters.tenacity:Outages",
            "benchmarks.adapters.pybreaker:Outages",
            composed.METRICS,
        ),
        ("tenacity", "pybreaker", "prometheus-client"),
    ),
    Library(
        "stamina+pybreaker",
        (
            "benchmarks.adapters.stamina:Outages",
            "benchmarks.adapters.pybreaker:Outages",
            composed.METRICS,
        ),
        ("stamina", "pybreaker", "prometheus-client"),
    ),
    Library(
        "pyresilience",
        (LIMITS.format("pyresilience"), composed.METRICS),
        ("pyresilience", "prometheus-client"),
    ),
    Library(
        "interlock_cb",
        (LIMITS.format("interlock"), composed.METRICS),
        ("interlock-cb", "tenacity", "prometheus-client"),
    ),
    Library("resilience_stack", (LIMITS.format("resilience_stack"),), ("resilience-stack",)),
)
LOG = logging.getLogger("service")


@scenario(library=LIBRARIES, in_profile=["chaos"], by_default=False)
def cache_read(library: tuple[Any, ...], payload: Payload) -> Iterator[Operation]:
    """A request reads a value through a guard; an exception is logged, as web frameworks do."""
    if len(library) == 1:
        yield _log_exceptions(library[0].guard(payload))
        return
    *layers, metrics = library
    operation = payload
    for layer in reversed(layers):
        operation = layer.guard(operation)
    with metrics.opened() as meter:
        counted = meter.counting(operation, "success", cached=False)
        yield _log_exceptions(counted.operation)


def _log_exceptions(call: Operation) -> Operation:
    def handle() -> Any:
        try:
            return call()
        except Exception:
            LOG.exception("a request failed")
            raise

    return handle
