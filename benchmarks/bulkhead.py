"""Bulkheads: a limit of calls in flight, with free slots, with none, and with a queue."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

from benchmarks.vocabulary import Operation, Payload
from benchmarks.vocabulary_limits import (
    FEW_SLOTS,
    SLOTS,
    WAIT_S,
    Bulkheads,
    replaceable,
    replaceable_async,
)
from resilience_bench import REJECTION, Library, scenario

BOTH = (
    Library("interlock_cb", "benchmarks.adapters.interlock_limits:Bulkheads", ("interlock-cb",)),
    Library("pyresilience", "benchmarks.adapters.pyresilience_limits:Bulkheads", ("pyresilience",)),
    Library(
        "resilience_stack",
        "benchmarks.adapters.resilience_stack_limits:Bulkheads",
        ("resilience-stack",),
    ),
)
PLAIN = (Library("threading", "benchmarks.adapters.standard_library:ThreadBulkheads"), *BOTH)
ASYNC = (
    Library("asyncio", "benchmarks.adapters.standard_library:AsyncBulkheads"),
    Library("anyio", "benchmarks.adapters.anyio:Bulkheads", ("anyio",)),
    Library("hyx", "benchmarks.adapters.hyx:Bulkheads", ("hyx",)),
    *BOTH,
)


@scenario(library=PLAIN, in_profile=["threads-16"], by_default=False)
def enter(library: Bulkheads, payload: Payload) -> Operation:
    """A call gets one of 1,024 slots."""
    return library.guard(payload, SLOTS)


@scenario(library=PLAIN, in_profile=["threads-16"], by_default=False)
def queue(library: Bulkheads, payload: Payload) -> Operation:
    """A call gets one of 8 slots; under a load of more callers it waits for one."""
    return library.guard(payload, FEW_SLOTS, WAIT_S)


@scenario(library=PLAIN, payload_calls=0, raises=REJECTION, by_default=False)
def full(library: Bulkheads, payload: Payload) -> Iterator[Operation]:
    """A call is refused, because the only slot is taken."""
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        inside.set()
        leave.wait()

    call, replace = replaceable(hold, payload)
    guarded = library.guard(call, 1)
    holder = threading.Thread(target=guarded, daemon=True)
    holder.start()
    inside.wait()
    replace()
    yield guarded
    leave.set()
    holder.join()


@scenario(library=ASYNC, in_profile=["tasks-100"], by_default=False)
async def async_enter(library: Bulkheads, payload: Payload) -> Operation:
    """A coroutine gets one of 1,024 slots."""
    return library.guard_async(payload, SLOTS)


@scenario(library=ASYNC, in_profile=["tasks-100"], by_default=False)
async def async_queue(library: Bulkheads, payload: Payload) -> Operation:
    """A coroutine gets one of 8 slots; under a load of more callers it waits for one."""
    return library.guard_async(payload, FEW_SLOTS, WAIT_S)


@scenario(library=ASYNC, payload_calls=0, raises=REJECTION, by_default=False)
async def async_full(library: Bulkheads, payload: Payload) -> AsyncIterator[Operation]:
    """A coroutine is refused, because the only slot is taken."""
    inside, leave = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        inside.set()
        await leave.wait()

    call, replace = replaceable_async(hold, payload)
    guarded = library.guard_async(call, 1)
    holder = asyncio.ensure_future(guarded())
    await inside.wait()
    replace()
    yield guarded
    leave.set()
    await holder
