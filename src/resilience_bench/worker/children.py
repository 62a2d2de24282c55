"""Forked processes of a worker: each does one work, and ends itself by a signal."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

DONE: Final = -signal.SIGKILL
HEAVY: Final = -signal.SIGUSR1
HUNG: Final = -signal.SIGALRM
LIMIT_S: Final = 120.0
"""The time limit of a child."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a child does: ``do(heavy=...)`` returns False if it turns out to be heavy."""

    name: str
    do: Callable[..., bool]
    is_heavy: bool = False


def run_in_children(works: Iterable[Work], at_a_time: int) -> Iterator[tuple[str, int]]:
    """Do each work in a process of its own, so many at a time; yield its name and exit code.

    One that ends as `HEAVY` is done once more, in a fresh process, as a heavy one.
    """
    due = deque((work, work.is_heavy) for work in works)
    running: deque[tuple[Work, bool, int]] = deque()
    while due or running:
        if due and len(running) < at_a_time:
            work, is_heavy = due.popleft()
            running.append((work, is_heavy, _start(functools.partial(work.do, heavy=is_heavy))))
            continue
        work, is_heavy, child = running.popleft()
        code = _wait(child)
        if code == HEAVY and not is_heavy:
            due.appendleft((work, True))
        else:
            yield work.name, code


def run_in_child(work: Callable[[], bool]) -> int:
    """Do something in a forked process; return `DONE`, `HEAVY` after False, `HUNG`, or any code."""
    return _wait(_start(work))


def _start(work: Callable[[], bool]) -> int:
    child = os.fork()
    if child == 0:
        signal.setitimer(signal.ITIMER_REAL, LIMIT_S)  # its signal ends the process
        with contextlib.suppress(BaseException):
            # Not by exiting: callgrind would dump its counters once more.
            os.kill(os.getpid(), signal.SIGKILL if work() else signal.SIGUSR1)
        os._exit(1)
    return child


def _wait(child: int) -> int:
    # The child ends itself: watching it would take half a processor under valgrind.
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def explain_exit_code(code: int) -> str:
    """Return what the exit code of a child says of a failure; empty if there was none."""
    if code == DONE:
        return ""
    if code == HUNG:
        return f"its process under valgrind hung past its time limit of {LIMIT_S:g} s"
    if code < 0:
        return f"its process under valgrind was ended by {signal.Signals(-code).name}"
    return f"its process under valgrind ended with exit code {code}"
