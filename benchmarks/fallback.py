"""Fallbacks around a closed or open breaker: what the answer costs, and being ready to give one."""

from __future__ import annotations

import contextlib

from benchmarks.vocabulary import FAILURES_TO_OPEN, Operation, Payload
from benchmarks.vocabulary_limits import (
    SOURCES,
    Fallbacks,
    replaceable,
    replaceable_async,
    return_fallback,
    return_fallback_async,
)
from resilience_bench import FAILS, RESULT, Counted, Library, scenario

PLAIN = (
    Library("pybreaker", "benchmarks.adapters.pybreaker:Fallbacks", ("pybreaker",)),
    Library("circuitbreaker", "benchmarks.adapters.circuitbreaker:Fallbacks", ("circuitbreaker",)),
    Library("interlock_cb", "benchmarks.adapters.interlock_limits:Fallbacks", ("interlock-cb",)),
    Library("pyresilience", "benchmarks.adapters.pyresilience_limits:Fallbacks", ("pyresilience",)),
    Library(
        "resilience_stack",
        "benchmarks.adapters.resilience_stack_limits:Fallbacks",
        ("resilience-stack",),
    ),
)
ASYNC = (*PLAIN, Library("hyx", "benchmarks.adapters.hyx:Fallbacks", ("hyx",)))
FOR_REJECTIONS_ONLY = "circuitbreaker"
"""A failure still comes out of it: its fallback stands in for the call while it is open."""
ANSWERS_FAILURES = tuple(one for one in PLAIN if one.name != FOR_REJECTIONS_ONLY)
ANSWERS_FAILURES_ASYNC = tuple(one for one in ASYNC if one.name != FOR_REJECTIONS_ONLY)
BY_SOURCE = {"source": SOURCES}
BY_SIMPLE_SOURCE = {"source": SOURCES[:2]}
"""Another call costs the same, whatever it answers for."""


@scenario(library=PLAIN, parameters=BY_SOURCE, by_default=False)
def success(library: Fallbacks, payload: Payload, source: str) -> Operation:
    """A call succeeds that has a fallback and a closed breaker."""
    return library.guard(payload, source).operation


@scenario(
    library=ANSWERS_FAILURES,
    parameters=BY_SOURCE,
    outcomes=(FAILS,),
    returns=RESULT,
    by_default=False,
)
def failure(library: Fallbacks, payload: Payload, source: str) -> Operation | Counted:
    """A call fails, the closed breaker counts it, and the fallback answers."""
    call, fail = replaceable(return_fallback, payload) if source == "stale" else (payload, None)
    guarded = library.guard(call, source)
    if fail is not None:
        guarded.operation()
        fail()
    return guarded.built()


@scenario(
    library=PLAIN,
    parameters=BY_SIMPLE_SOURCE,
    outcomes=(FAILS,),
    payload_calls=0,
    returns=RESULT,
    by_default=False,
)
def rejection(library: Fallbacks, payload: Payload, source: str) -> Operation | Counted:
    """An open breaker rejects a call, and the fallback answers."""
    call, fail = replaceable(return_fallback, payload)
    guarded = library.guard(call, source, FAILURES_TO_OPEN)
    guarded.operation()
    fail()
    for _ in range(FAILURES_TO_OPEN):
        with contextlib.suppress(Exception):  # a fallback may be for rejections only
            guarded.operation()
    return guarded.built()


@scenario(library=ASYNC, parameters=BY_SOURCE, by_default=False)
async def async_success(library: Fallbacks, payload: Payload, source: str) -> Operation:
    """A coroutine succeeds that has a fallback and a closed breaker."""
    return library.guard_async(payload, source).operation


@scenario(
    library=ANSWERS_FAILURES_ASYNC,
    parameters=BY_SOURCE,
    outcomes=(FAILS,),
    returns=RESULT,
    by_default=False,
)
async def async_failure(library: Fallbacks, payload: Payload, source: str) -> Operation | Counted:
    """A coroutine fails, the closed breaker counts it, and the fallback answers."""
    call, fail = (
        replaceable_async(return_fallback_async, payload) if source == "stale" else (payload, None)
    )
    guarded = library.guard_async(call, source)
    if fail is not None:
        await guarded.operation()
        fail()
    return guarded.built()


@scenario(
    library=ASYNC,
    parameters=BY_SIMPLE_SOURCE,
    outcomes=(FAILS,),
    payload_calls=0,
    returns=RESULT,
    by_default=False,
)
async def async_rejection(library: Fallbacks, payload: Payload, source: str) -> Operation | Counted:
    """An open breaker rejects a coroutine, and the fallback answers."""
    call, fail = replaceable_async(return_fallback_async, payload)
    guarded = library.guard_async(call, source, FAILURES_TO_OPEN)
    await guarded.operation()
    fail()
    for _ in range(FAILURES_TO_OPEN):
        with contextlib.suppress(Exception):  # a fallback may be for rejections only
            await guarded.operation()
    return guarded.built()
