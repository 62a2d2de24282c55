"""Retries: how often, after what, with which waits, and when they stop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import tenacity
from prometheus_client import CollectorRegistry

from resilience_stack import CircuitBreakerError, Policy, ResilienceManager, Retry, find_failure
from tests.stack.bench import BOTH, Bench, Call, Flaky, exhaust


@BOTH
def test_failure_is_retried_until_success(bench: Bench, call: Call) -> None:
    """Two failures and a success are one successful call with two retries."""
    function = Flaky(2)
    assert call(bench.guard(), function) == "done"
    assert function.calls == 3
    assert bench.calls() == (1, 0, 0)
    assert bench.sample("retries_total") == 2


@BOTH
@pytest.mark.parametrize("attempts", [1, 2, 3, 4])
def test_attempts_are_exact_and_the_last_exception_comes_out(
    bench: Bench,
    attempts: int,
    call: Call,
) -> None:
    """A call that always fails is made as often as the policy says, the first call included."""
    function = Flaky(99)
    with pytest.raises(ConnectionError) as caught:
        call(bench.guard(attempts=attempts), function)
    assert caught.value.args == (attempts,)
    assert function.calls == attempts
    assert len(bench.slept) == bench.sample("retries_total") == attempts - 1
    assert bench.calls() == (0, 1, 0)


@BOTH
def test_waits_double_up_to_the_limit(bench: Bench, call: Call) -> None:
    """Without jitter the waits are exactly those of the policy, the first one initial."""
    guard = bench.guard(attempts=5, wait_initial_s=0.5, wait_max_s=3, jitter_s=0, fail_max=9)
    exhaust(lambda: call(guard, Flaky(99)))
    assert bench.slept == [0.5, 1, 2, 3]


@pytest.mark.parametrize("failures", [1, 2])
def test_jitter_is_added_to_the_wait(bench: Bench, failures: int) -> None:
    """With jitter the waits lie between the plain wait and the jitter above it."""
    guard = bench.guard(attempts=3, wait_initial_s=0.5, jitter_s=0.25)
    assert guard.call(Flaky(failures)) == "done"
    for wait_s, plain_s in zip(bench.slept, [0.5, 1], strict=False):
        assert plain_s <= wait_s <= plain_s + 0.25


def test_no_rule_no_retry(bench: Bench) -> None:
    """With no rules at all the first exception comes out."""
    function = Flaky(1)
    exhaust(lambda: bench.guard(retries=()).call(function))
    assert function.calls == 1


def test_other_exceptions_are_not_retried(bench: Bench) -> None:
    """What no rule names comes out of the first attempt, and is a failure."""
    function = Flaky(1, error=KeyError)
    with pytest.raises(KeyError):
        bench.guard().call(function)
    assert function.calls == 1
    assert bench.calls() == (0, 1, 0)


@BOTH
def test_other_exception_ends_a_retry(bench: Bench, call: Call) -> None:
    """What no rule names also ends a retry that has begun."""
    errors = iter([ConnectionError, KeyError, ConnectionError])

    class Changing(Flaky):
        def __call__(self) -> str:
            raise next(errors)

    with pytest.raises(KeyError):
        call(bench.guard(), Changing(0))
    assert bench.sample("retries_total") == 1


def test_first_rule_that_names_the_exception_decides(bench: Bench) -> None:
    """A subclass that stands first has its own rule, and one that stands last has none."""
    first = Retry(on=(ConnectionResetError,), attempts=5, wait_initial_s=0.1, jitter_s=0)
    second = Retry(on=(ConnectionError, TimeoutError), attempts=2, wait_initial_s=0.3, jitter_s=0)
    guard = bench.guard(fail_max=99, retries=(first, second))
    backwards = bench.guard("cache", fail_max=99, retries=(second, first))
    for each, error, attempts in (
        (guard, ConnectionResetError, 5),
        (guard, ConnectionRefusedError, 2),
        (guard, TimeoutError, 2),
        (backwards, ConnectionResetError, 2),
    ):
        function = Flaky(99, error=error)
        with pytest.raises(error):
            each.call(function)
        assert function.calls == attempts
    assert bench.slept == [0.1, 0.2, 0.4, 0.8, 0.3, 0.3, 0.3]


def test_each_failure_is_judged_by_its_own_rule(bench: Bench) -> None:
    """Attempts count from the beginning of the call, whatever rule the earlier ones had."""
    often = Retry(on=(ConnectionError,), attempts=5, wait_initial_s=1, jitter_s=0)
    seldom = Retry(on=(TimeoutError,), attempts=3, wait_initial_s=10, wait_max_s=99, jitter_s=0)
    errors: Iterator[type[Exception]] = iter([ConnectionError, TimeoutError, TimeoutError])

    def function() -> None:
        raise next(errors)

    with pytest.raises(TimeoutError):
        bench.guard(retries=(often, seldom)).call(function)
    assert bench.slept == [1, 20]


def test_rule_of_one_attempt_takes_an_exception_out(bench: Bench) -> None:
    """A rule with one attempt keeps those behind it from an exception."""
    never = Retry(on=(ConnectionRefusedError,), attempts=1)
    guard = bench.guard(retries=(never, Retry(jitter_s=0)))
    refused = Flaky(1, error=ConnectionRefusedError)
    exhaust(lambda: guard.call(refused))
    assert refused.calls == 1
    assert guard.call(Flaky(1)) == "done"


def test_ignored_exceptions_may_be_retried(bench: Bench) -> None:
    """What is no failure to the breaker is retried when a rule names it."""
    guard = bench.guard(
        fail_max=1, ignored=(BlockingIOError,), retries=(Retry(on=(BlockingIOError,)),)
    )
    assert guard.call(Flaky(2, error=BlockingIOError)) == "done"
    assert bench.sample("retries_total") == 2


def test_exception_that_tenacity_gives_a_meaning_is_one_like_others(bench: Bench) -> None:
    """A guarded function that raises tenacity's TryAgain is not retried without a rule."""
    errors: Iterator[type[Exception]] = iter([ConnectionError, tenacity.TryAgain])

    def function() -> None:
        raise next(errors)

    with pytest.raises(tenacity.TryAgain):
        bench.guard().call(function)


@pytest.mark.parametrize("result", [None, False, ConnectionError()])
def test_any_result_is_a_result(bench: Bench, result: object) -> None:
    """What a second attempt returns is not mistaken for a failure."""
    function = Flaky(1)
    assert bench.guard().call(lambda: (function(), result)[1]) is result


def test_exception_that_is_false_is_an_exception(bench: Bench) -> None:
    """An exception whose truth value is false fails a call as others do."""

    class EmptyError(Exception):
        def __bool__(self) -> bool:
            return False

    function = Flaky(9, error=EmptyError)
    with pytest.raises(EmptyError):
        bench.guard(on=(EmptyError,)).call(function)
    assert function.calls == 3


@BOTH
def test_retry_stops_when_the_breaker_opens(bench: Bench, call: Call) -> None:
    """The failure that opens the breaker comes out at once: no wait, no further attempt."""
    function, guard = Flaky(99), bench.guard(attempts=9, fail_max=2)
    with pytest.raises(ConnectionError) as caught:
        call(guard, function)
    assert caught.value.args == (2,)
    assert function.calls == 2
    assert len(bench.slept) == 1
    assert guard.state == "open"
    assert bench.calls() == (0, 1, 0)


def test_call_whose_breaker_opens_while_it_waits_is_rejected() -> None:
    """When others open the breaker during a wait, the next attempt is a rejection, the last."""

    def open_it(_seconds: float) -> None:
        exhaust(lambda: guard.call(other))

    function, other = Flaky(99), Flaky(99)
    registry = CollectorRegistry()
    guard = ResilienceManager(registry, sleep=open_it).guard("database", Policy(fail_max=2))
    with pytest.raises(CircuitBreakerError):
        guard.call(function)
    assert (function.calls, other.calls) == (1, 1)
    labels = {"guard": "database", "outcome": "rejected"}
    assert registry.get_sample_value("resilience_calls_total", labels) == 1


def test_call_of_which_the_sleep_is_interrupted_is_counted() -> None:
    """A call that ends between two attempts has an outcome too."""

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    registry = CollectorRegistry()
    guard = ResilienceManager(registry, sleep=interrupt).guard("database")
    with pytest.raises(KeyboardInterrupt):
        guard.call(Flaky(1))
    labels = {"guard": "database", "outcome": "failure"}
    assert registry.get_sample_value("resilience_calls_total", labels) == 1


def test_task_that_is_cancelled_while_it_waits_ends() -> None:
    """A cancellation between two attempts comes out, and makes no further attempt."""
    waiting = asyncio.Event()

    async def wait(_seconds: float) -> None:
        waiting.set()
        await asyncio.sleep(3600)

    function, manager = Flaky(9), ResilienceManager(CollectorRegistry(), async_sleep=wait)

    async def cancelled() -> None:
        task = asyncio.create_task(manager.guard("database").call_async(function.awaited))
        await waiting.wait()
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    assert function.calls == 1


def test_an_attempt_that_is_refused_after_the_wait_is_no_retry() -> None:
    """Counted are the attempts that were made; the refusal says after how many."""
    registry = CollectorRegistry()
    manager = ResilienceManager(registry, sleep=lambda _seconds: guard.force("open"))
    guard = manager.guard("database")
    function = Flaky(9)
    with pytest.raises(CircuitBreakerError) as caught:
        guard.call(function)
    assert function.calls == 1
    assert registry.get_sample_value("resilience_retries_total", {"guard": "database"}) == 0
    failure = find_failure(caught.value)
    assert failure is not None
    assert (failure.attempt, failure.category) == (1, "rejected")


class OddError(ConnectionError):
    """An error of a library that uses the name of the attribute for something else."""

    retry_after_s = "soon"


@BOTH
def test_an_attribute_of_another_library_is_no_wait(bench: Bench, call: Call) -> None:
    """The attempt is counted and retried as any other, and its own error comes out."""
    function = Flaky(9, OddError)
    with pytest.raises(OddError):
        call(bench.guard(attempts=2, jitter_s=0), function)
    assert function.calls == 2
    assert bench.calls() == (0, 1, 0)
