"""Everything on: a fallback, a time limit, a bulkhead, a retry, a breaker and a count of calls."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

from benchmarks.vocabulary import ATTEMPTS, FAILURES_TO_OPEN, NEVER, Operation, Payload
from benchmarks.vocabulary_limits import (
    LIMIT_S,
    SLOTS,
    replaceable,
    return_fallback,
    return_fallback_async,
)
from resilience_bench import FAILS, RESULT, Counted, Library, scenario

METRICS = "benchmarks.adapters.prometheus_client:Metrics"
OBVIOUS = Library(
    "tenacity+pybreaker",
    ("benchmarks.adapters.tenacity:Retries", "benchmarks.adapters.pybreaker:Breakers", METRICS),
    ("tenacity", "pybreaker", "prometheus-client"),
)
BOTH = (
    OBVIOUS,
    Library(
        "interlock_cb",
        ("benchmarks.adapters.interlock_limits:Everything", METRICS),
        ("interlock-cb", "tenacity", "prometheus-client"),
    ),
    Library(
        "pyresilience",
        ("benchmarks.adapters.pyresilience_limits:Everything", METRICS),
        ("pyresilience", "prometheus-client"),
    ),
    Library(
        "resilience_stack",
        "benchmarks.adapters.resilience_stack_limits:Everything",
        ("resilience-stack",),
    ),
)
ASYNC = (
    *BOTH,
    Library("hyx", ("benchmarks.adapters.hyx:Everything", METRICS), ("hyx", "prometheus-client")),
)


class FullError(Exception):
    """All slots are taken."""


@scenario(library=BOTH, by_default=False)
def success(library: Any, payload: Payload) -> Iterator[Operation | Counted]:
    """A call succeeds that has everything around it."""
    with _opened(library, payload, "success") as counted:
        yield counted


@scenario(library=BOTH, outcomes=(FAILS,), payload_calls=ATTEMPTS, returns=RESULT, by_default=False)
def failure(library: Any, payload: Payload) -> Iterator[Operation | Counted]:
    """All three attempts of a call fail that has everything around it, and the fallback answers."""
    with _opened(library, payload, "failure") as counted:
        yield counted


@scenario(library=BOTH, outcomes=(FAILS,), payload_calls=0, returns=RESULT, by_default=False)
def rejection(library: Any, payload: Payload) -> Iterator[Operation | Counted]:
    """The open breaker rejects a call that has everything around it, and the fallback answers."""
    call, fail = replaceable(return_fallback, payload)
    with _opened(library, call, "rejected", FAILURES_TO_OPEN) as counted:
        fail()
        operation = getattr(counted, "operation", counted)
        for _ in range(FAILURES_TO_OPEN):
            operation()
        yield counted


@scenario(library=ASYNC, by_default=False)
async def async_success(library: Any, payload: Payload) -> AsyncIterator[Operation | Counted]:
    """A coroutine succeeds that has everything around it."""
    if not isinstance(library, tuple):
        with library.opened(payload, "success", NEVER) as counted:
            yield counted
        return
    *layers, metrics = library
    with metrics.opened() as meter:
        if len(layers) == 1:
            yield meter.counting_async(layers[0].guard_async(payload), "success")
        else:
            yield _compose_async(layers, meter, payload)


@contextlib.contextmanager
def _opened(
    library: Any, payload: Payload, outcome: str, fail_max: int = NEVER
) -> Iterator[Operation | Counted]:
    """Put everything around the payload; a count outside of the others sees their fallback only."""
    if not isinstance(library, tuple):
        with library.opened(payload, outcome, fail_max) as counted:
            yield counted
        return
    *layers, metrics = library
    with metrics.opened() as meter:
        if len(layers) == 1:
            yield meter.counting(layers[0].guard(payload, fail_max), "success", cached=False)
        else:
            seen = "success" if outcome == "success" else "failure"
            yield _compose(layers, meter, payload, seen, fail_max)


def _compose(
    layers: list[Any], meter: Any, payload: Payload, outcome: str, fail_max: int
) -> Counted:
    """Write it the obvious way: no time limit, which a plain function has in its driver."""
    retries, breakers = layers
    breaker = breakers.breaker(fail_max=fail_max)
    retried = retries.retrying().decorated(breaker.decorated(payload))
    counted = meter.counting(retried, outcome, cached=False)
    call, semaphore = counted.operation, threading.BoundedSemaphore(SLOTS)

    def guarded() -> Any:
        try:
            if not semaphore.acquire(blocking=False):
                raise FullError  # noqa: TRY301 - answered below like everything else
            try:
                return call()
            finally:
                semaphore.release()
        except Exception:  # noqa: BLE001 - whatever it is, there is an answer
            return return_fallback()

    return Counted(guarded, counted.count)


def _compose_async(layers: list[Any], meter: Any, payload: Payload) -> Counted:
    retries, breakers = layers
    breaker = breakers.breaker(fail_max=NEVER)
    retried = retries.retrying().decorated_async(breaker.block_async(payload))
    counted = meter.counting_async(retried, "success")
    call, semaphore = counted.operation, asyncio.Semaphore(SLOTS)

    async def guarded() -> Any:
        try:
            if semaphore.locked():
                raise FullError  # noqa: TRY301 - answered below like everything else
            async with semaphore, asyncio.timeout(LIMIT_S):
                return await call()
        except Exception:  # noqa: BLE001 - whatever it is, there is an answer
            return await return_fallback_async()

    return Counted(guarded, counted.count)
