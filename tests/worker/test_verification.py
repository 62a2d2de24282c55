"""Cases that do not do what they say are found before they are timed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from resilience_bench import (
    FAILS,
    REJECTION,
    RESULT,
    RETURNS,
    Counted,
    PayloadError,
    scenario,
)
from resilience_bench.worker.operations import (
    Operation,
    add_wait,
)
from resilience_bench.worker.verification import HINT, BrokenCaseError, check
from tests.worker.operation_factories import bound, declared, declared_async


def _taking_payload(operation: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def build(payload: Any) -> Any:
        return operation(payload)

    return build


def test_honest_cases_pass(runner: asyncio.Runner) -> None:
    """A case that does what it says is checked without complaint."""
    check(bound(declared((RETURNS,))), runner)
    check(bound(declared((FAILS,), raises=PayloadError)), runner)
    check(bound(declared_async((RETURNS,))), runner)


class Refused(Exception):  # noqa: N818
    """A rejection."""


class Refusing:
    """An adapter with a rejection."""

    rejection = Refused

    def call(self) -> None:
        """Reject."""
        raise Refused


def test_rejection_is_what_the_adapter_names(runner: asyncio.Runner) -> None:
    """raises=REJECTION accepts the adapter's rejection and nothing else."""

    @scenario(library={"x": Refusing}, payload_calls=0, raises=REJECTION)
    def rejected(library: Refusing) -> Any:
        return library.call

    check(bound(rejected), runner)


@pytest.mark.parametrize(
    ("options", "operation", "complaint"),
    [
        ({}, lambda payload: lambda: RESULT, f"call 1 ran the payload 0 times, expected 1; {HINT}"),
        (
            {},
            lambda payload: lambda: (payload(), payload())[0],
            f"call 1 ran the payload 2 times, expected 1; {HINT}",
        ),
        (
            {},
            lambda payload: lambda: payload() and "other",
            f"returned 'other'; expected that it returns 'payload result'; {HINT}",
        ),
        (
            {"raises": KeyError},
            lambda payload: payload,
            f"returned 'payload result'; expected that it raises KeyError; {HINT}",
        ),
        (
            {"outcomes": (FAILS,)},
            lambda payload: payload,
            "raised PayloadError: ; expected that it returns 'payload result'",
        ),
        (
            {},
            lambda payload: Counted(payload, count=lambda: 3),
            "call 1 moved the counter by 0, expected 1",
        ),
    ],
)
def test_dishonest_cases_are_broken(
    runner: asyncio.Runner, options: dict[str, Any], operation: Any, complaint: str
) -> None:
    """A case that does something else is refused with what was seen and what was expected."""
    one = scenario(**options)(_taking_payload(operation))
    with pytest.raises(BrokenCaseError) as caught:
        check(bound(one), runner)
    assert str(caught.value) == complaint


def test_change_after_some_calls_is_noticed(runner: asyncio.Runner) -> None:
    """A breaker that opens after five failures is no closed breaker."""
    calls = 0

    @scenario(outcomes=(FAILS,), raises=PayloadError)
    def opens(payload: Any) -> Any:
        def operation() -> Any:
            nonlocal calls
            calls += 1
            if calls > 5:
                raise Refused
            return payload()

        return operation

    with pytest.raises(BrokenCaseError, match=r"raised Refused: ; expected .* PayloadError"):
        check(bound(opens), runner)


def test_a_wait_passes_before_the_call_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is watched until so many nanoseconds have passed; then the operation runs."""
    times = iter([100, 120, 149, 150, 999])
    monkeypatch.setattr(time, "perf_counter_ns", lambda: next(times))
    assert add_wait(Operation(lambda: next(times), is_async=False), 50).call() == 999
