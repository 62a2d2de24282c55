"""Counting under callgrind: dumps of its counters around two numbers of calls of an operation.

At each ``os.getppid()`` callgrind (``--dump-before=getppid``) dumps its counters and sets them to
zero. What surrounds the calls costs the same for both numbers, so it cancels out in the slope.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable
from typing import Final

from resilience_bench.worker import client_request
from resilience_bench.worker.protocol import HEAVY_CALLS
from resilience_bench.worker.timing import Sampler, count_function_calls

CALLS: Final = 24
"""Maximum difference of the two numbers of calls."""
FUNCTION_CALLS: Final = 1_500
"""Function calls at which an operation is heavy: only one call of it is counted."""
WARM_UP_FACTOR: Final = 2
"""Warm-up calls relative to that difference: CPython adapts its bytecode to what it runs."""
LOOP_WARM_UPS: Final = 100
"""Runs of what surrounds the calls before the first count, for the same reason."""

Calls = tuple[int, int]


def choose_calls(function_calls: int) -> Calls:
    """Return the two numbers of calls; they depend on no clock, so that a count is repeatable."""
    more = max(1, min(CALLS, FUNCTION_CALLS // function_calls))
    return more // 3, more // 3 + more


def mark(sample: Sampler, *, heavy: bool) -> Calls | None:
    """Warm an operation up and dump the counters around two numbers of calls, and return these.

    Of a heavy operation the first call is counted: a warm-up would take as long again. One that
    turns out to be heavy gives None, and a fresh process has to count it.
    """
    fewer, more = HEAVY_CALLS
    if heavy:
        client_request.make_starter()()
    else:
        function_calls = count_function_calls(sample, FUNCTION_CALLS)
        if function_calls >= FUNCTION_CALLS:
            return None
        fewer, more = choose_calls(function_calls)
        for _ in range(WARM_UP_FACTOR * (more - fewer)):
            sample(1, 0)
    dump = os.getppid
    client_request.make_zeroer()()  # a dump of zeros is quick; both counts begin after a dump
    dump()
    sample(fewer, 0)
    dump()
    sample(more, 0)
    dump()
    return fewer, more


def prepare_forking() -> None:
    """Take all objects of this process out of garbage collection."""
    gc.collect()
    gc.freeze()
    gc.disable()
    client_request.make_starter()
    client_request.make_zeroer()


def start_counting(controls: Iterable[Sampler]) -> None:
    """Have callgrind count from here on, in this process and those that it forks off.

    Those inherit the code that callgrind has translated, for which the controls are run. Only
    heavy operations start it themselves, when they are ready.
    """
    client_request.make_starter()()
    for sample in controls:
        for _ in range(LOOP_WARM_UPS):
            sample(1, 0)
    os.getppid()
