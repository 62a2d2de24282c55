"""Policies: what they refuse, and in which words."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from resilience_stack import Bulkhead, Fallback, Policy, ProbeSettings, Retry, RetryBudget


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (Policy, "fail_max", 0),
        (Policy, "fail_max", -1),
        (Policy, "reset_timeout_s", -1),
        (Policy, "reset_timeout_s", float("inf")),
        (Retry, "on", ()),
        (Retry, "attempts", 0),
        (Retry, "attempts", -1),
        (Retry, "wait_initial_s", -0.1),
        (Retry, "wait_max_s", -5),
        (Retry, "wait_max_s", 0.01),
        (Retry, "jitter_s", -1),
        (Retry, "jitter_s", float("nan")),
        *(
            (Policy, field, value)
            for field in ("reset_timeout_s", "deadline_s", "attempt_s")
            for value in (10**60, 1e12, float("nan"), float("-inf"))
        ),
        (Policy, "fail_max", 10**60),
        (RetryBudget, "reserve", 10**60),
        (RetryBudget, "share", 10**60),
        (Fallback, "stale_s", 10**60),
        (ProbeSettings, "interval_s", 10**60),
        (ProbeSettings, "jitter", 10**60),
    ],
)
def test_values_out_of_range_are_refused(kind: type, field: str, value: object) -> None:
    """The error names the field and quotes the value."""
    with pytest.raises(ValueError, match=rf"{kind.__name__}\.{field} is ") as caught:
        kind(**{field: value})
    assert f"{field} is {value!r}, expected " in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (Policy, "fail_max", "5"),
        (Policy, "fail_max", True),
        (Policy, "reset_timeout_s", None),
        (Policy, "ignored", KeyError),
        (Policy, "ignored", (KeyboardInterrupt,)),
        (Policy, "retries", Retry()),
        (Policy, "retries", [Retry()]),
        (Policy, "retries", (ConnectionError,)),
        (Retry, "on", ConnectionError),
        (Retry, "on", (KeyboardInterrupt,)),
        (Retry, "on", ("ConnectionError",)),
        (Retry, "attempts", 2.5),
        (Retry, "attempts", True),
        (Retry, "wait_initial_s", None),
        (Retry, "jitter_s", False),
    ],
)
def test_values_of_other_types_are_refused(kind: type, field: str, value: object) -> None:
    """A value of another type is refused when the policy is made, not when a call fails."""
    with pytest.raises(TypeError) as caught:
        kind(**{field: value})
    assert f"{kind.__name__}.{field} is {value!r}, expected " in str(caught.value)


def test_a_bulkhead_that_no_machine_could_keep_is_refused() -> None:
    """Its places are in memory, and a lock waits only so long."""
    with pytest.raises(ValueError, match=r"Bulkhead\.limit is 2000000, .*, at most 1000000"):
        Bulkhead(limit=2_000_000)
    with pytest.raises(ValueError, match=r"Bulkhead\.wait_s is 10+\.0, .*, at most 1000000"):
        Bulkhead(limit=1, wait_s=1e12)


def test_a_number_with_thousands_of_digits_is_refused_in_one_short_line() -> None:
    """Python itself would not write it."""
    with pytest.raises(ValueError, match=r"deadline_s is a number with thousands of digits"):
        Policy(deadline_s=10**5000)
    with pytest.raises(ValueError, match=r"Policy\.fail_max is 10{99}\.\.\., expected"):
        Policy(fail_max=10**300)
    with pytest.raises(ValueError, match=r"Fallback\.entries is 10{60}, expected"):
        Fallback(stale_s=1, entries=10**60)


def test_policies_are_frozen() -> None:
    """A policy cannot be changed under a guard."""
    with pytest.raises(FrozenInstanceError):
        Policy().fail_max = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        Retry().attempts = 2  # type: ignore[misc]


def test_default_retries_what_a_network_does() -> None:
    """By default a lost connection is retried, and a mistake in the program is not."""
    [rule] = Policy().retries
    assert issubclass(ConnectionResetError, rule.on)
    assert issubclass(TimeoutError, rule.on)
    assert not issubclass(TypeError, rule.on)
