"""Exceptions that differ only in their text."""

from __future__ import annotations

import asyncio

import pytest

from resilience_stack import Fallback, Policy, Retry, matching
from resilience_stack.core.failures import categorize, register_category
from tests.stack.bench import BOTH, Bench, Call, Flaky


class DriverError(Exception):
    """What a driver raises for everything, with a code."""

    def __init__(self, code: object = "lost") -> None:
        super().__init__(code)
        self.code = code


class WrongError(DriverError):
    """A DriverError for a wrong statement."""

    def __init__(self, call: int) -> None:
        super().__init__("wrong")


class LostError(DriverError):
    """A DriverError for a lost connection."""

    def __init__(self, call: int) -> None:
        super().__init__("lost")


def is_wrong(error: Exception) -> bool:
    """Say whether the statement was to blame."""
    return getattr(error, "code", "") == "wrong"


def is_lost(error: Exception) -> bool:
    """Say whether the connection was to blame."""
    return getattr(error, "code", "") == "lost"


POLICY = {"ignored": (matching(is_wrong), KeyError), "fail_max": 10}


@BOTH
def test_a_recognized_exception_is_ignored(bench: Bench, call: Call) -> None:
    """It counts as success, as one of an ignored type does, and is not retried."""
    guard = bench.guard(**POLICY, retries=(Retry(on=(matching(is_lost),)),))
    with pytest.raises(WrongError):
        call(guard, function := Flaky(9, WrongError))
    assert (function.calls, bench.calls()) == (1, (1, 0, 0))


@BOTH
def test_a_recognized_exception_is_retried(bench: Bench, call: Call) -> None:
    """The others of its type are not."""
    guard = bench.guard(**POLICY, retries=(Retry(on=(matching(is_lost),)),))
    assert call(guard, function := Flaky(1, LostError)) == "done"
    assert (function.calls, bench.calls(), bench.sample("retries_total")) == (2, (1, 0, 0), 1)


def test_a_recognized_exception_has_no_fallback(bench: Bench) -> None:
    """What the fallback is not for may be recognized as well."""
    fallback = Fallback(default=lambda: "default", unless=(matching(is_wrong),))
    guard = bench.guard(fallback=fallback, retries=())
    assert guard.call(Flaky(9, LostError)) == "default"
    with pytest.raises(WrongError):
        guard.call(Flaky(9, WrongError))


def test_a_cancellation_is_never_recognized() -> None:
    """Nor is an interrupt, whatever the function says: they say nothing about the dependency."""
    everything = matching(bool)
    assert isinstance(KeyError(), everything) is bool(KeyError())
    for error in (asyncio.CancelledError(), KeyboardInterrupt()):
        assert not isinstance(error, matching(lambda _error: True))


def test_the_same_function_is_the_same_kind() -> None:
    """So two policies that were made alike are alike, and their text names the function."""
    assert Policy(ignored=(matching(is_lost),)) == Policy(ignored=(matching(is_lost),))
    assert repr(matching(is_lost)) == "matching(is_lost)"


def test_a_category_may_come_from_the_exception() -> None:
    """Where the type does not say enough, a function is registered for it."""
    register_category(DriverError, lambda error: "connection" if is_lost(error) else "answer")  # type: ignore[arg-type]
    assert categorize(LostError(1)) == "connection"
    assert categorize(WrongError(1)) == "answer"
