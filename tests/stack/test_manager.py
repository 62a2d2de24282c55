"""The manager: one name is one guard."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from resilience_stack import CircuitBreakerError, Guard, ResilienceManager
from tests.stack.bench import Bench, Flaky, exhaust, in_threads


def test_one_name_is_one_guard(bench: Bench) -> None:
    """Two functions under one name share the breaker; another name has its own."""
    exhaust(bench.guard(attempts=1, fail_max=1)(Flaky(1)))
    with pytest.raises(CircuitBreakerError):
        bench.guard(attempts=1, fail_max=1)(Flaky(0))()
    assert bench.guard("cache").call(Flaky(0)) == "done"


def test_one_name_with_two_policies_is_refused(bench: Bench) -> None:
    """A second policy for the same name is an error that shows what differs, and nothing else."""
    bench.guard(attempts=2)
    expected = r"'database' has another policy: retries is .*attempts=2.* with .*attempts=4"
    with pytest.raises(ValueError, match=expected) as caught:
        bench.guard(attempts=4)
    assert "fail_max" not in str(caught.value)


def test_threads_that_ask_for_a_name_get_one_guard(bench: Bench) -> None:
    """Eight threads that ask for the same name at once share one guard."""
    guards: list[Guard] = in_threads(*[bench.guard] * 8)
    assert len(set(map(id, guards))) == 1


@pytest.mark.parametrize(
    ("name", "policy", "said"),
    [
        (None, {}, "name is None, expected the name of a guard"),
        ("", {}, "name is empty"),
        ("tea\ud800", {}, r"name is 'tea\\ud800', expected text that UTF-8 can write"),
        ("database", {"policy": {"fail_max": 3}}, "policy is {'fail_max': 3}, expected a Policy"),
    ],
)
def test_odd_guards_are_refused_when_they_are_made(
    name: Any, policy: dict[str, Any], said: str
) -> None:
    """The text has what was given, and what was expected."""
    with pytest.raises((TypeError, ValueError), match=said):
        ResilienceManager(CollectorRegistry()).guard(name, **policy)
