"""Under callgrind: marks in the instruction stream, around two numbers of calls of an operation.

Each case is measured in a process forked off after everything was imported. The process calls
``os.getppid()`` three times, at which callgrind (``--dump-before=getppid``) dumps its counters and
starts them at zero; what lies between two dumps was spent on a known number of calls. Reading the
clock and whatever else surrounds the calls costs the same for both numbers, so it falls out of the
slope.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
from collections.abc import Callable, Iterable
from typing import Final

from resilience_bench.worker import client_request
from resilience_bench.worker.protocol import HEAVY_CALLS
from resilience_bench.worker.timing import Sampler, count_function_calls

CALLS: Final = 24
"""At most so many calls more has the larger number than the smaller one."""
FUNCTION_CALLS: Final = 1_500
"""An operation that calls so many functions, or more, is heavy: one call of it is counted."""
WARM_UP_FACTOR: Final = 2
"""So many times as many calls come before, for CPython adapts its bytecode to what it runs."""
LOOP_WARM_UPS: Final = 100
"""How often what surrounds the calls runs before the first count, for the same reason."""
DONE: Final = -signal.SIGKILL
HEAVY: Final = -signal.SIGUSR1
HUNG: Final = -signal.SIGALRM
CHILD_LIMIT_S: Final = 120.0

Calls = tuple[int, int]


def choose_calls(function_calls: int) -> Calls:
    """The two numbers of calls that are counted.

    They depend on the operation only, not on a clock, so that a count repeats exactly.
    """
    more = max(1, min(CALLS, FUNCTION_CALLS // function_calls))
    return more // 3, more // 3 + more


def mark(sample: Sampler, *, heavy: bool) -> Calls | None:
    """Warm an operation up and dump the counters around two numbers of calls.

    Args:
        sample: Calls the operation.
        heavy: Whether the operation is known to be heavy; then its first call is counted, because
            finding out its size, or a warm-up, would take as long again.

    Returns:
        The two numbers; the second and the third dump of this process hold what they cost. None if
        the operation turns out to be heavy, and a fresh process has to count it.
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
    dump()
    sample(fewer, 0)
    dump()
    sample(more, 0)
    dump()
    return fewer, more


def prepare_forking() -> None:
    """Make ready for forking: what is there is not collected any more."""
    gc.collect()
    gc.freeze()
    gc.disable()
    client_request.make_starter()


def start_counting(controls: Iterable[Sampler]) -> None:
    """Have callgrind count from here on, in this process and those that it forks off.

    Heavy operations ask for it themselves, when they stand ready. For all others it is cheaper to
    ask before forking: then each process inherits the code that callgrind has translated.

    Args:
        controls: Are run, so that code is adapted and translated.
    """
    client_request.make_starter()()
    for sample in controls:
        for _ in range(LOOP_WARM_UPS):
            sample(1, 0)
    os.getppid()


def run_in_child(work: Callable[[], bool]) -> int:
    """Do something in a forked process.

    Args:
        work: Returns whether it could be done; False asks for another process.

    Returns:
        The exit code: `DONE`, `HEAVY`, `HUNG`, or whatever else became of the process.
    """
    child = os.fork()
    if child == 0:
        signal.setitimer(signal.ITIMER_REAL, CHILD_LIMIT_S)  # its signal ends the process
        with contextlib.suppress(BaseException):
            # Not by exiting: callgrind would dump its counters once more.
            os.kill(os.getpid(), signal.SIGKILL if work() else signal.SIGUSR1)
        os._exit(1)
    # The child ends itself, for looking after it would take half a processor under valgrind.
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def explain_exit_code(code: int) -> str:
    """What an exit code of `run_in_child` says; empty when all is well."""
    if code == DONE:
        return ""
    if code == HUNG:
        return f"its process under valgrind hung past its time limit of {CHILD_LIMIT_S:g} s"
    if code < 0:
        return f"its process under valgrind was ended by {signal.Signals(-code).name}"
    return f"its process under valgrind ended with exit code {code}"
