"""Allocations of an operation: in a worker of its own, because tracing disturbs the clock."""

from __future__ import annotations

import asyncio
import gc
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any, Final

from resilience_bench._model import Weight
from resilience_bench.worker.operations import Operation
from resilience_bench.worker.timing import count_function_calls, make_sampler

CALLS: Final = 64
"""Calls of a small operation that are averaged over."""
FUNCTION_CALLS: Final = 10_000
PEAKS: Final = 3

Results = list[Any]


def measure_allocations(operation: Operation, runner: asyncio.Runner) -> Weight:
    """Measure the memory that warm calls keep, that of their results, and their peak.

    Bytes are those that `tracemalloc` traces, blocks those of `sys.getallocatedblocks`.
    """
    sample = make_sampler(operation, runner)
    calls = max(1, min(CALLS, FUNCTION_CALLS // count_function_calls(sample, FUNCTION_CALLS)))
    call_all = _make_caller(operation, runner)
    # What other cases left behind is not looked through at every collection.
    gc.collect()
    gc.freeze()
    tracemalloc.start()
    try:
        sample(calls, 0)
        # Twice, because a table that happens to grow now is not kept by every call.
        kept = min(_measure_growth(lambda: sample(calls, 0)) for _ in range(2))
        results: Results = [None] * calls
        grown = _measure_growth(lambda: call_all(results))
        results.clear()
        # What measuring itself allocates: a few numbers, a task for asyncio.
        own_blocks, own_bytes = _measure_growth(lambda: None)
        own_peak = _measure_peak(lambda: call_all([]))
        peak = min(_measure_peak(lambda: call_all([None])) for _ in range(min(PEAKS, calls)))
    finally:
        tracemalloc.stop()
    return Weight(
        calls,
        *_divide_by_calls(kept[0] - own_blocks, kept[1] - own_bytes, calls),
        *_divide_by_calls(grown[0] - kept[0], grown[1] - kept[1], calls),
        peak_bytes=float(max(peak - own_peak, 0)),
    )


def _divide_by_calls(blocks: int, size: int, calls: int) -> tuple[float, float]:
    if 2 * blocks < calls:  # a table that grew
        return 0.0, 0.0
    return blocks / calls, max(size, 0) / calls


def _measure_growth(work: Callable[[], object]) -> tuple[int, int]:
    gc.collect()
    blocks, size = sys.getallocatedblocks(), tracemalloc.get_traced_memory()[0]
    work()
    gc.collect()
    return sys.getallocatedblocks() - blocks, tracemalloc.get_traced_memory()[0] - size


def _measure_peak(work: Callable[[], object]) -> int:
    gc.collect()
    gc.disable()
    try:
        tracemalloc.reset_peak()
        size = tracemalloc.get_traced_memory()[0]
        work()
        return tracemalloc.get_traced_memory()[1] - size
    finally:
        gc.enable()


def _make_caller(operation: Operation, runner: asyncio.Runner) -> Callable[[Results], None]:
    """Return a function that fills a list with the results of one call each."""
    if operation.is_async:
        run = runner.get_loop().run_until_complete
        return lambda results: run(_call_all_async(operation, results))
    return lambda results: _call_all(operation, results)


def _call_all(operation: Operation, results: Results) -> None:
    for place in range(len(results)):
        try:
            results[place] = operation.call()
        except operation.raises:
            pass


async def _call_all_async(operation: Operation, results: Results) -> None:
    for place in range(len(results)):
        try:
            results[place] = await operation.call()
        except operation.raises:
            pass
