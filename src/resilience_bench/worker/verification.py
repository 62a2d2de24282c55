"""The check before timing: a case that does not keep its promises is never timed."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from resilience_bench.scenarios.definition import ANYTHING, BoundCase
from resilience_bench.scenarios.loads import NOOP, SINGLE
from resilience_bench.worker.operations import Operation, open_operation

CHECKED_CALLS: Final = 12
"""More calls than the breakers' five failures, to notice one that opens by mistake."""
HINT: Final = "if that is meant, say so: @scenario(payload_calls=..., returns=..., raises=...)"
PATIENCE_S: Final = 0.02
"""An operation that takes longer is checked by two calls only."""


class BrokenCaseError(Exception):
    """A case does not keep its promises; the text says what was observed and expected."""


def check(bound: BoundCase, runner: asyncio.Runner) -> None:
    """Raise BrokenCaseError if the payload's runs, the outcome or the counter are not as promised.

    Only one caller, and no work in the payload, unless it is a real one: see `tallies` for loads.
    """
    runs = 0

    def record() -> None:
        nonlocal runs
        runs += 1

    promised = bound.scenario.payload_calls
    payload = bound.info.case.payload if bound.work else NOOP
    with open_operation(bound.with_load(SINGLE, payload), runner, record) as operation:
        give_up_at = time.perf_counter() + PATIENCE_S
        for call in range(1, CHECKED_CALLS + 1):
            runs = 0
            before = operation.count() if operation.count else 0
            check_outcome(bound, operation, runner)
            if runs != promised:
                raise BrokenCaseError(
                    f"call {call} ran the payload {runs} times, expected {promised}; {HINT}"
                )
            if operation.count and (moved := operation.count() - before) != operation.step:
                raise BrokenCaseError(
                    f"call {call} moved the counter by {moved:g}, expected {operation.step:g}"
                )
            if call > 1 and time.perf_counter() > give_up_at:
                break


def check_outcome(bound: BoundCase, operation: Operation, runner: asyncio.Runner) -> None:
    """Call the operation once; BrokenCaseError if it returns or raises what is not expected."""
    expected = _describe_expected(bound, operation)
    try:
        seen = runner.run(operation.call()) if operation.is_async else operation.call()
    except Exception as error:
        if isinstance(error, operation.raises):
            return
        raise BrokenCaseError(
            f"raised {type(error).__name__}: {error}; expected {expected}"
        ) from error
    promised = bound.returns
    if operation.raises or (promised is not ANYTHING and seen != promised):
        raise BrokenCaseError(f"returned {seen!r}; expected {expected}; {HINT}")


def _describe_expected(bound: BoundCase, operation: Operation) -> str:
    if operation.raises:
        return "that it raises " + " or ".join(kind.__name__ for kind in operation.raises)
    if bound.scenario.returns is ANYTHING:
        return "that it returns"
    return f"that it returns {bound.returns!r}"
