"""The loops of a caller: calls back to back until a window of time has closed, or so many calls.

Each subject has a copy of its own, see `payloads.copy_function`. Operations that raise have loops
of their own, because a function around the call would cost more than the ``try``.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from resilience_bench._model import BUCKET
from resilience_bench.worker.operations import Operation
from resilience_bench.worker.payloads import copy_function, return_result, return_result_async
from resilience_bench.worker.timing import make_sampler

CLOCK_CALLS: Final = 1000
CLOCK_TRIES: Final = 15
NEVER_NS: Final = 1 << 62
"""The end of a window that another limit ends."""
GAP: Final = -1
"""Separates two times that are not the start and the end of a call."""

clock = time.perf_counter_ns


def compute_durations(stamps: Sequence[int]) -> list[int]:
    """Return how long the calls took, from the times that `make_timed_loop` recorded."""
    pairs = itertools.pairwise(stamps)
    return [after - before for before, after in pairs if GAP not in {before, after}]


def build_histogram(elapsed_ns: Iterable[int]) -> dict[int, int]:
    """Count the calls that took from ``BUCKET ** b`` to ``BUCKET ** (b + 1)`` ns, by b."""
    width = math.log(BUCKET)
    return dict(Counter(int(math.log(max(ns, 1)) / width) for ns in elapsed_ns))


def make_loop(operation: Operation) -> Callable[[int, int], Any]:
    """Make ``loop(closes_ns, chunk)``, which returns the number of calls and when they ended."""
    kinds = (_loop, _loop_raising, _loop_async, _loop_async_raising)
    kind = kinds[2 * operation.is_async + bool(operation.raises)]
    return functools.partial(copy_function(kind), operation)


def _loop(operation: Operation, closes_ns: int, chunk: int) -> tuple[int, int]:
    call = operation.call
    calls = 0
    while (now := clock()) < closes_ns:
        for _ in itertools.repeat(None, chunk):
            call()
        calls += chunk
    return calls, now


def _loop_raising(operation: Operation, closes_ns: int, chunk: int) -> tuple[int, int]:
    call, raises = operation.call, operation.raises
    calls = 0
    while (now := clock()) < closes_ns:
        for _ in itertools.repeat(None, chunk):
            try:
                call()
            except raises:
                pass
        calls += chunk
    return calls, now


async def _loop_async(operation: Operation, closes_ns: int, chunk: int) -> tuple[int, int]:
    call = operation.call
    calls = 0
    while (now := clock()) < closes_ns:
        for _ in itertools.repeat(None, chunk):
            await call()
        calls += chunk
        await asyncio.sleep(0)  # what never waits would keep the loop to itself
    return calls, now


async def _loop_async_raising(operation: Operation, closes_ns: int, chunk: int) -> tuple[int, int]:
    call, raises = operation.call, operation.raises
    calls = 0
    while (now := clock()) < closes_ns:
        for _ in itertools.repeat(None, chunk):
            try:
                await call()
            except raises:
                pass
        calls += chunk
        await asyncio.sleep(0)
    return calls, now


def make_fixed_loop(operation: Operation) -> Callable[[int, int], Any]:
    """Make ``loop(_, count)``, which makes so many calls; returns their number and when they ended.

    The first argument, when a window closes, is that of `make_loop`, and is not looked at.
    """
    kind = _loop_fixed_async if operation.is_async else _loop_fixed
    return functools.partial(copy_function(kind), operation, operation.raises or ())


def _loop_fixed(operation: Operation, raises: Any, _closes_ns: int, count: int) -> tuple[int, int]:
    call = operation.call
    for _ in itertools.repeat(None, count):
        try:
            call()
        except raises:
            pass
    return count, clock()


async def _loop_fixed_async(
    operation: Operation, raises: Any, _closes_ns: int, count: int
) -> tuple[int, int]:
    call = operation.call
    for _ in itertools.repeat(None, count):
        try:
            await call()
        except raises:
            pass
    return count, clock()


def make_timed_loop(operation: Operation) -> Callable[[int, int, int], Any]:
    """Make ``loop(closes_ns, chunk, most)``, which returns the time after each call.

    The end of a call is the start of the next one, so that the clock is read once a call.
    """
    kind = _record_stamps_async if operation.is_async else _record_stamps
    return functools.partial(copy_function(kind), operation, operation.raises or ())


def _record_stamps(
    operation: Operation, raises: Any, closes_ns: int, chunk: int, most: int
) -> list[int]:
    call, now = operation.call, clock
    stamps = [now()]
    stamp = stamps.append
    while stamps[-1] < closes_ns and len(stamps) <= most:
        for _ in itertools.repeat(None, chunk):
            try:
                call()
            except raises:
                pass
            stamp(now())
    return stamps


async def _record_stamps_async(
    operation: Operation, raises: Any, closes_ns: int, chunk: int, most: int
) -> list[int]:
    call, now = operation.call, clock
    stamps = [now()]
    stamp = stamps.append
    while stamps[-1] < closes_ns and len(stamps) <= most:
        for _ in itertools.repeat(None, chunk):
            try:
                await call()
            except raises:
                pass
            stamp(now())
        await asyncio.sleep(0)
        # Other tasks ran meanwhile: the next call starts now.
        stamp(GAP)
        stamp(now())
    return stamps


def make_single_call(operation: Operation) -> Callable[[], tuple[int, int]]:
    """Make a loop, as `make_loop` does, of one call of an operation that is no coroutine."""
    call, raises = operation.call, operation.raises or ()

    def called() -> tuple[int, int]:
        try:
            call()
        except raises:
            pass
        return 1, clock()

    return called


def measure_clock_cost(runner: asyncio.Runner, *, is_async: bool) -> float:
    """Return what timing adds to a call, in ns: a timed loop of an empty function - an untimed."""
    empty = Operation(
        copy_function(return_result_async if is_async else return_result), is_async=is_async
    )
    stamps_of, sampler = make_timed_loop(empty), make_sampler(empty, runner)
    timed_ns, untimed_ns = [], []
    for _ in range(CLOCK_TRIES):
        stamps = run_if_coroutine(stamps_of(NEVER_NS, CLOCK_CALLS, 1), runner)
        timed_ns.append(sum(compute_durations(stamps)))
        untimed_ns.append(sampler(CLOCK_CALLS, 0))
    return max(min(timed_ns) - min(untimed_ns), 0) / CLOCK_CALLS


def run_if_coroutine(made: Any, runner: asyncio.Runner) -> Any:
    """Return the result of a loop, which is a coroutine if the operation is one."""
    return runner.run(made) if asyncio.iscoroutine(made) else made
