"""Time limits, bulkhead and retry budget: exact, handed down, and never exceeded."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience_stack import (
    Bulkhead,
    BulkheadFullError,
    DeadlineExceededError,
    Policy,
    Retry,
    RetryBudget,
    remaining_s,
)
from resilience_stack.core import full_layers
from tests.stack.bench import PATIENCE_S, Bench, Flaky, in_tasks, in_threads


async def hang() -> None:
    """Wait for what never comes."""
    await asyncio.Event().wait()


def test_a_coroutine_that_hangs_ends_at_its_deadline(bench: Bench) -> None:
    """It is cancelled, the error is a TimeoutError, and the breaker counts a failure."""
    guard = bench.guard(deadline_s=0.01, retries=())
    with pytest.raises(DeadlineExceededError, match=r"the call took longer than 0\.01 s") as caught:
        asyncio.run(guard.call_async(hang))
    assert isinstance(caught.value, TimeoutError)
    assert bench.calls() == (0, 1, 0)
    assert guard._breaker.failures == 1


def test_an_attempt_that_hangs_is_tried_again(bench: Bench) -> None:
    """Each attempt has its own limit; the next one is made within the deadline."""
    attempts = []

    async def flaky() -> str:
        attempts.append(remaining_s())
        if len(attempts) == 1:
            await hang()
        return "done"

    guard = bench.guard(attempt_s=0.2, deadline_s=PATIENCE_S, attempts=2, jitter_s=0)
    assert asyncio.run(guard.call_async(flaky)) == "done"
    assert len(attempts) == 2
    assert all(left_s is not None and left_s <= 0.2 for left_s in attempts)
    assert bench.sample("retries_total") == 1


def test_a_cancellation_from_outside_stays_one(bench: Bench) -> None:
    """Who cancels the task gets CancelledError, and the breaker counts nothing."""
    guard = bench.guard(deadline_s=PATIENCE_S, retries=())

    async def cancel() -> None:
        task = asyncio.ensure_future(guard.call_async(hang))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())
    assert guard._breaker.failures == 0


class Later:
    """An awaitable that is no coroutine, and awaits so many turns of the event loop."""

    def __init__(self, turns: int) -> None:
        self.turns = turns

    def __await__(self) -> Generator[Any, Any, str]:
        """Wait, and return an answer."""
        for _ in range(self.turns):
            yield from asyncio.sleep(0).__await__()
        return "done"


@pytest.mark.parametrize("limit", ["deadline_s", "attempt_s"])
@pytest.mark.parametrize("turns", [0, 1, 3])
def test_whatever_is_awaited_within_its_limit_returns_its_result(
    bench: Bench, limit: str, turns: int
) -> None:
    """A coroutine, a future or another awaitable, whether it waits for anything or not."""

    async def wait() -> str:
        return await Later(turns)

    def start() -> asyncio.Future[str]:
        return asyncio.ensure_future(wait())

    guard = bench.guard(**{limit: PATIENCE_S}, retries=())

    async def ask() -> list[str]:
        makers: list[Callable[[], Awaitable[str]]] = [wait, start, lambda: Later(turns)]
        return [await guard.call_async(make) for make in makers]

    assert asyncio.run(ask()) == ["done"] * 3
    assert bench.calls() == (3, 0, 0)


@pytest.mark.parametrize("turns", [0, 2])
def test_a_coroutine_within_its_deadline_raises_its_own_exception(bench: Bench, turns: int) -> None:
    """A failure counts as one, at once or after waiting."""

    async def fail() -> None:
        await Later(turns)
        raise KeyError(turns)

    with pytest.raises(KeyError):
        asyncio.run(bench.guard(deadline_s=PATIENCE_S, retries=()).call_async(fail))
    assert bench.calls() == (0, 1, 0)


def test_the_deadline_is_handed_to_what_is_called_inside(bench: Bench) -> None:
    """An inner guard has no more time than the outer one has left, plain or coroutine."""
    outer = bench.guard("outer", deadline_s=5, retries=())
    inner = bench.guard("inner", deadline_s=60, retries=())
    left_s = outer.call(lambda: inner.call(remaining_s))
    assert left_s is not None
    assert left_s <= 5

    async def ask() -> float | None:
        return remaining_s()

    assert (asyncio.run(outer.call_async(ask)) or 99) <= 5
    assert remaining_s() is None


def test_a_guard_without_a_deadline_of_its_own_hands_on_the_one_there_is(bench: Bench) -> None:
    """What a bulkhead is around sees the deadline of the enclosing call, and it is there after."""
    outer = bench.guard("outer", deadline_s=5, retries=())
    inner = bench.guard("inner", bulkhead=Bulkhead(1), retries=())

    def ask() -> list[float | None]:
        return [inner.call(remaining_s), remaining_s()]

    async def left() -> float | None:
        return remaining_s()

    async def ask_async() -> list[float | None]:
        return [await inner.call_async(left), remaining_s()]

    for left_s in outer.call(ask) + asyncio.run(outer.call_async(ask_async)):
        assert left_s is not None
        assert left_s <= 5
    assert inner.call(remaining_s) is None


def test_a_call_is_not_begun_without_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An inner call whose enclosing deadline has passed is refused before its function runs."""
    outer = bench.guard("outer", deadline_s=5, retries=())
    inner = bench.guard("inner", deadline_s=5, retries=())
    function = Flaky(0)

    def late() -> str:
        monkeypatch.setattr(full_layers, "perf_counter", lambda: time.perf_counter() + 10)
        return inner(function)()

    with pytest.raises(DeadlineExceededError, match="guard 'inner': the deadline of the enclosing"):
        outer.call(late)
    assert function.calls == 0
    assert bench.calls("inner") == (0, 0, 1)


def test_a_retry_that_could_not_end_in_time_is_not_started(bench: Bench) -> None:
    """A wait beyond the deadline is not waited: the last exception comes out at once."""
    guard = bench.guard(deadline_s=5, attempts=3, wait_initial_s=6, wait_max_s=9, jitter_s=0)
    function = Flaky(9)
    with pytest.raises(ConnectionError):
        guard.call(function)
    assert (function.calls, bench.slept) == (1, [])


def test_retry_after_is_respected(bench: Bench) -> None:
    """The wait is at least what the error asks for; one that asks for too much is not retried."""

    class BusyError(ConnectionError):
        retry_after_s = 2.0

    guard = bench.guard(attempts=2, wait_initial_s=0.1, wait_max_s=3, jitter_s=0)
    assert guard.call(Flaky(1, BusyError)) == "done"
    assert bench.slept == [2.0]
    BusyError.retry_after_s = 4.0
    with pytest.raises(BusyError):
        guard.call(Flaky(1, BusyError))
    assert bench.slept == [2.0]


def test_a_full_bulkhead_rejects(bench: Bench) -> None:
    """Beyond the limit a call is not made; the breaker counts nothing, the metrics a rejection."""
    guard = bench.guard(bulkhead=Bulkhead(1), retries=())
    function = Flaky(0)

    def inside() -> str:
        assert bench.sample("calls_in_flight") == 1
        with pytest.raises(BulkheadFullError, match="has 1 calls in flight"):
            guard(function)()
        return "done"

    assert guard.call(inside) == "done"
    assert function.calls == 0
    assert (bench.calls(), guard.state, guard._breaker.failures) == ((1, 0, 1), "closed", 0)
    assert bench.sample("calls_in_flight") == 0
    assert bench.sample("bulkhead_limit") == 1


@pytest.mark.parametrize("kind", ["threads", "tasks"])
def test_no_more_calls_are_in_flight_than_the_limit(bench: Bench, kind: str) -> None:
    """Callers wait for a place and get one, first come, first served; none is lost."""
    guard = bench.guard(bulkhead=Bulkhead(3, wait_s=PATIENCE_S), retries=())
    lock, inside, most = threading.Lock(), [0], [0]

    def enter() -> None:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])

    def leave() -> None:
        with lock:
            inside[0] -= 1

    def work() -> None:
        enter()
        time.sleep(0.001)
        leave()

    async def work_async() -> None:
        enter()
        await asyncio.sleep(0.001)
        leave()

    if kind == "threads":
        in_threads(*[guard(work)] * 12)
    else:
        in_tasks(*[guard(work_async)] * 12)
    assert 1 <= most[0] <= 3
    assert bench.calls() == (12, 0, 0)
    assert guard.in_flight == 0


def test_a_task_that_is_cancelled_while_it_waits_leaves_no_place_taken(bench: Bench) -> None:
    """A place that is given to who does not want it any more goes to the next one."""
    guard = bench.guard(bulkhead=Bulkhead(1, wait_s=PATIENCE_S), retries=())

    async def scenario() -> None:
        gate = asyncio.Event()
        first = asyncio.ensure_future(guard.call_async(gate.wait))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(guard.call_async(gate.wait))
        await asyncio.sleep(0)
        second.cancel()
        gate.set()
        await first
        with pytest.raises(asyncio.CancelledError):
            await second
        assert guard.in_flight == 0

    asyncio.run(scenario())


def test_a_used_up_budget_ends_the_retries(bench: Bench) -> None:
    """The reserve is spent, then a retry needs calls; what is refused is counted."""
    guard = bench.guard(
        budget=RetryBudget(share=0.5, reserve=2),
        retries=(Retry(attempts=2, wait_initial_s=0, jitter_s=0),),
        fail_max=10**9,
    )
    functions = [Flaky(9) for _ in range(4)]
    for function in functions:
        with pytest.raises(ConnectionError):
            guard.call(function)
    # Two of the reserve, then one earned by the first two calls; the last half is not enough.
    assert [function.calls for function in functions] == [2, 2, 2, 1]
    assert bench.sample("retry_budget_exhausted_total") == 1


@given(
    st.lists(st.booleans(), max_size=60), st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.integers(1, 5)
)
def test_the_budget_is_never_exceeded(calls: list[bool], share: float, reserve: int) -> None:
    """Whatever fails: retries are at most the reserve and the share of the calls."""
    bench = Bench()
    guard = bench.guard(
        budget=RetryBudget(share=share, reserve=reserve),
        retries=(Retry(attempts=5, wait_initial_s=0, jitter_s=0),),
        fail_max=10**9,
    )
    for number, works in enumerate(calls, start=1):
        try:
            guard.call(Flaky(0 if works else 9))
        except ConnectionError:
            pass
        assert (bench.sample("retries_total") or 0) <= reserve + share * number


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"deadline_s": 0}, "Policy.deadline_s is 0"),
        ({"attempt_s": -1}, "Policy.attempt_s is -1"),
        ({"attempt_s": 3, "deadline_s": 2}, "Policy.attempt_s is 3, expected deadline_s"),
        ({"bulkhead": 3}, "Policy.bulkhead is 3, expected a Bulkhead"),
        ({"budget": 0.2}, "Policy.budget is 0.2, expected a RetryBudget"),
        ({"critical": 1}, "Policy.critical is 1"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(settings: dict[str, object], expected: str) -> None:
    """When the policy is made, with field, value and what is expected."""
    with pytest.raises((TypeError, ValueError), match=expected):
        Policy(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [lambda: Bulkhead(0), lambda: RetryBudget(share=2)])
def test_a_size_that_makes_no_sense_is_refused(make: object) -> None:
    """So are those of bulkhead and budget."""
    with pytest.raises(ValueError, match="expected"):
        make()  # type: ignore[operator]
