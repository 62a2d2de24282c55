"""Shared breakers: what a call costs if the state of its breaker is in Redis.

Five failures in a row open, 60 s to recover. Each call asks Redis, so it costs round trips, which
the server counts: a case that makes more or fewer than its adapter says is refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator

from benchmarks.vocabulary import FAILURES_TO_OPEN, Payload
from benchmarks.vocabulary_shared import SharedBreakers, count_trips
from resilience_bench import (
    FAILS,
    REJECTION,
    Counted,
    Library,
    PayloadError,
    ServerAddress,
    scenario,
)

PYBREAKER = Library(
    "pybreaker", "benchmarks.adapters.pybreaker_redis:Shared", ("pybreaker", "redis")
)
AIOBREAKER = Library(
    "aiobreaker", "benchmarks.adapters.aiobreaker_redis:Shared", ("aiobreaker", "redis")
)
PURGATORY = Library(
    "purgatory", "benchmarks.adapters.purgatory_redis:Shared", ("purgatory", "redis")
)
ASYNCBREAKER = Library(
    "asyncbreaker", "benchmarks.adapters.asyncbreaker:Shared", ("asyncbreaker", "redis")
)
PLAIN = (PYBREAKER, AIOBREAKER, PURGATORY)
ASYNC = (AIOBREAKER, PURGATORY, ASYNCBREAKER)


@scenario(library=PLAIN, server="redis", by_default=False)
def closed_success(
    library: SharedBreakers, payload: Payload, server: ServerAddress
) -> Iterator[Counted]:
    """A closed breaker lets a call through that succeeds."""
    with (
        library.opened(payload, server) as guarded,
        count_trips(guarded, server, library.trips["closed_success"]) as counted,
    ):
        yield counted


@scenario(library=PLAIN, server="redis", outcomes=(FAILS,), raises=PayloadError, by_default=False)
def closed_failure(
    library: SharedBreakers, payload: Payload, server: ServerAddress
) -> Iterator[Counted]:
    """A closed breaker counts a failure, stays closed and lets the exception through."""
    with (
        library.opened(payload, server) as guarded,
        count_trips(guarded, server, library.trips["closed_failure"]) as counted,
    ):
        yield counted


@scenario(
    library=PLAIN,
    server="redis",
    outcomes=(FAILS,),
    payload_calls=0,
    raises=REJECTION,
    by_default=False,
)
def open_rejection(
    library: SharedBreakers, payload: Payload, server: ServerAddress
) -> Iterator[Counted]:
    """An open breaker rejects a call without running it."""
    with (
        library.opened(payload, server, FAILURES_TO_OPEN) as guarded,
        count_trips(guarded, server, library.trips["open_rejection"]) as counted,
    ):
        for _ in range(FAILURES_TO_OPEN):
            with contextlib.suppress(PayloadError, library.rejection):
                guarded()
        yield counted


@scenario(library=ASYNC, server="redis", by_default=False)
async def async_closed_success(
    library: SharedBreakers, payload: Payload, server: ServerAddress
) -> AsyncIterator[Counted]:
    """A closed breaker lets a coroutine through that succeeds."""
    async with library.opened_async(payload, server) as guarded:
        with count_trips(guarded, server, library.trips["closed_success"]) as counted:
            yield counted


@scenario(library=ASYNC, server="redis", outcomes=(FAILS,), raises=PayloadError, by_default=False)
async def async_closed_failure(
    library: SharedBreakers, payload: Payload, server: ServerAddress
) -> AsyncIterator[Counted]:
    """A closed breaker counts a coroutine's failure, and lets the exception through."""
    async with library.opened_async(payload, server) as guarded:
        with count_trips(guarded, server, library.trips["closed_failure"]) as counted:
            yield counted


@scenario(
    library=ASYNC,
    server="redis",
    outcomes=(FAILS,),
    payload_calls=0,
    raises=REJECTION,
    by_default=False,
)
async def async_open_rejection(
    library: SharedBreakers, payload: Payload, server: ServerAddress
) -> AsyncIterator[Counted]:
    """An open breaker rejects a coroutine without running it."""
    async with library.opened_async(payload, server, FAILURES_TO_OPEN) as guarded:
        with count_trips(guarded, server, library.trips["open_rejection"]) as counted:
            for _ in range(FAILURES_TO_OPEN):
                with contextlib.suppress(PayloadError, library.rejection):
                    await guarded()
            yield counted
