"""Real calls, layer by layer: what a query, a cache read or a request costs with each layer on top.

Around the payload ``sqlite``, ``redis``, ``postgres`` … the figure is the share: the layer's
overhead divided by the bare call. Every layer includes those before it. ``control.call`` is the
bare call once more: its share is 0 within its interval, or the others are not to be trusted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from benchmarks import composed, everything
from benchmarks.vocabulary import Operation, Payload
from resilience_bench import Counted, Library, scenario

METRICS = Library("prometheus_client", (composed.METRICS,), ("prometheus-client",))
RETRY = Library(
    "tenacity",
    ("benchmarks.adapters.tenacity:Retries", composed.METRICS),
    ("tenacity", "prometheus-client"),
)
OPTIONS = {"in_profile": ("real",), "by_default": False}


@scenario(library=(METRICS,), **OPTIONS)
def metrics(library: tuple[Any], payload: Payload) -> Iterator[Counted]:
    """A count of calls by outcome around a real call."""
    with library[-1].opened() as meter:
        yield meter.counting(payload, "success", cached=False)


@scenario(library=(RETRY,), **OPTIONS)
def retry(library: tuple[Any, Any], payload: Payload) -> Iterator[Counted]:
    """A count of calls by outcome around a retry around a real call."""
    retries, counts = library
    with counts.opened() as meter:
        yield meter.counting(retries.retrying().decorated(payload), "success", cached=False)


@scenario(library=composed.GUARDS, **OPTIONS)
def guarded(library: Any, payload: Payload) -> Iterator[Counted]:
    """A count of calls by outcome around a retry around a closed breaker around a real call."""
    yield from composed.guarded(library, payload)


@scenario(library=everything.BOTH, **OPTIONS)
def everything_on(library: Any, payload: Payload) -> Iterator[Operation | Counted]:
    """A real call with everything: count, retry, breaker, fallback, time limit and bulkhead."""
    yield from everything.success(library, payload)


@scenario(library=(METRICS,), **OPTIONS)
async def async_metrics(library: tuple[Any], payload: Payload) -> AsyncIterator[Counted]:
    """A count of calls by outcome around a real call by a coroutine."""
    with library[-1].opened() as meter:
        yield meter.counting_async(payload, "success")


@scenario(library=(RETRY,), **OPTIONS)
async def async_retry(library: tuple[Any, Any], payload: Payload) -> AsyncIterator[Counted]:
    """A count of calls by outcome around a retry around a real call by a coroutine."""
    retries, counts = library
    with counts.opened() as meter:
        yield meter.counting_async(retries.retrying().decorated_async(payload), "success")


@scenario(library=composed.GUARDS, **OPTIONS)
async def async_guarded(library: Any, payload: Payload) -> AsyncIterator[Counted]:
    """A count of calls, a retry and a closed breaker around a real call by a coroutine."""
    async for counted in composed.async_guarded(library, payload):
        yield counted


@scenario(library=everything.ASYNC, **OPTIONS)
async def async_everything_on(library: Any, payload: Payload) -> AsyncIterator[Operation | Counted]:
    """A real call by a coroutine with everything on."""
    async for counted in everything.async_success(library, payload):
        yield counted
