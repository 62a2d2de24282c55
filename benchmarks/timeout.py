"""Time limits: calls within their limit, limits inside limits, and a call that is cut off."""

from __future__ import annotations

import asyncio

from benchmarks.vocabulary import Operation, Payload
from benchmarks.vocabulary_limits import ATTEMPT_S, EXCEEDED_S, LIMIT_S, Timeouts
from resilience_bench import REJECTION, Counted, Library, scenario

PLAIN = (
    Library("interlock_cb", "benchmarks.adapters.interlock_limits:Timeouts", ("interlock-cb",)),
    Library("pyresilience", "benchmarks.adapters.pyresilience_limits:Timeouts", ("pyresilience",)),
    Library(
        "resilience_stack",
        "benchmarks.adapters.resilience_stack_limits:Timeouts",
        ("resilience-stack",),
    ),
)
ASYNC = (
    Library("asyncio", "benchmarks.adapters.standard_library:Timeouts"),
    Library("anyio", "benchmarks.adapters.anyio:Timeouts", ("anyio",)),
    Library("hyx", "benchmarks.adapters.hyx:Timeouts", ("hyx",)),
    *PLAIN,
)


@scenario(library=PLAIN, by_default=False)
def within(library: Timeouts, payload: Payload) -> Operation:
    """A call ends within its limit."""
    return library.limit(payload, LIMIT_S)


@scenario(library=PLAIN, by_default=False)
def nested(library: Timeouts, payload: Payload) -> Operation:
    """A call inside a call ends within both limits, of which the inner one is shorter."""
    return library.limit(library.limit(payload, ATTEMPT_S), LIMIT_S)


@scenario(library=ASYNC, by_default=False)
async def async_within(library: Timeouts, payload: Payload) -> Operation:
    """A coroutine that never waits ends within its limit."""
    return library.limit_async(payload, LIMIT_S)


@scenario(library=ASYNC, in_profile=["tasks-100"], by_default=False)
async def async_within_waiting(library: Timeouts, payload: Payload) -> Operation:
    """A coroutine that waits for one turn of the event loop ends within its limit."""

    async def wait() -> object:
        await asyncio.sleep(0)
        return await payload()

    return library.limit_async(wait, LIMIT_S)


@scenario(library=ASYNC, by_default=False)
async def async_deadline_and_attempt(library: Timeouts, payload: Payload) -> Operation:
    """A coroutine has a limit an attempt, up to three attempts, and a limit for all of them."""
    return library.limit_attempts_async(payload)


@scenario(library=ASYNC, by_default=False)
async def async_nested(library: Timeouts, payload: Payload) -> Operation:
    """A coroutine inside a coroutine ends within both limits, of which the inner one is shorter."""
    return library.limit_async(library.limit_async(payload, ATTEMPT_S), LIMIT_S)


@scenario(library=ASYNC, raises=REJECTION, by_default=False)
async def async_exceeded(library: Timeouts, payload: Payload) -> Counted:
    """A coroutine that would take 45 s is cut off after its limit of 1 ms."""
    cut_off = 0

    async def hang() -> None:
        nonlocal cut_off
        await payload()
        try:
            await asyncio.sleep(LIMIT_S)
        except asyncio.CancelledError:
            cut_off += 1
            raise

    return Counted(library.limit_async(hang, EXCEEDED_S), lambda: cut_off)
