"""The check before timing: a case that does not do what it says is never timed."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from resilience_bench.scenarios.definition import ANYTHING, BoundCase
from resilience_bench.scenarios.loads import NOOP, SINGLE
from resilience_bench.worker.operations import Operation, open_operation

CHECKED_CALLS: Final = 12
"""More calls than the breakers' five failures, so that one that opens unasked is noticed."""
PATIENCE_S: Final = 0.02
"""A slow operation is checked by two calls only."""


class BrokenCaseError(Exception):
    """The case does not do what it says; the text has what was seen and what was expected."""


def check(bound: BoundCase, runner: asyncio.Runner) -> None:
    """Run the operation with a counting payload and compare it with what the scenario promises.

    One caller does so, around a payload without work: what callers do to each other is counted
    when they are measured.

    Raises:
        BrokenCaseError: If the payload ran more or less often than ``payload_calls``, if the
            outcome is another than the expected one, or if the counter did not move.
    """
    runs = 0

    def record() -> None:
        nonlocal runs
        runs += 1

    promised = bound.scenario.payload_calls
    with open_operation(bound.with_load(SINGLE, NOOP), runner, record) as operation:
        give_up_at = time.perf_counter() + PATIENCE_S
        for call in range(1, CHECKED_CALLS + 1):
            runs = 0
            before = operation.count() if operation.count else 0
            check_outcome(bound, operation, runner)
            if runs != promised:
                message = f"call {call} ran the payload {runs} times, expected {promised}"
                raise BrokenCaseError(message)
            if operation.count and (moved := operation.count() - before) != operation.step:
                message = f"call {call} moved the counter by {moved:g}, expected {operation.step:g}"
                raise BrokenCaseError(message)
            if call > 1 and time.perf_counter() > give_up_at:
                break


def check_outcome(bound: BoundCase, operation: Operation, runner: asyncio.Runner) -> None:
    """Call the operation once and compare what it returns or raises with what is expected.

    Raises:
        BrokenCaseError: If it is something else.
    """
    expected = _describe_expected(bound, operation)
    try:
        seen = runner.run(operation.call()) if operation.is_async else operation.call()
    except Exception as error:
        if isinstance(error, operation.raises):
            return
        message = f"raised {type(error).__name__}: {error}; expected {expected}"
        raise BrokenCaseError(message) from error
    if operation.raises:
        message = f"returned {seen!r}; expected {expected}"
        raise BrokenCaseError(message)
    promised = bound.scenario.returns
    if promised is not ANYTHING and seen != promised:
        message = f"returned {seen!r}; expected {expected}"
        raise BrokenCaseError(message)


def _describe_expected(bound: BoundCase, operation: Operation) -> str:
    if operation.raises:
        return "that it raises " + " or ".join(each.__name__ for each in operation.raises)
    if bound.scenario.returns is ANYTHING:
        return "that it returns"
    return f"that it returns {bound.scenario.returns!r}"
