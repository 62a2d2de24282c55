"""One guard for many threads and tasks: nothing is lost, nobody waits for another's call."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest

from resilience_stack import CircuitBreakerError, Guard
from resilience_stack.metrics.durations import FULL
from tests.stack.bench import PATIENCE_S, Bench, Flaky, exhaust, in_tasks, in_threads

ROUNDS = settings(max_examples=40)
"""The fixture only sets how often threads take turns, which may stay from round to round."""
OUTCOMES: dict[str, type[BaseException] | None] = {
    "succeeds": None,
    "fails": ConnectionError,
    "is ignored": KeyError,
    "is interrupted": KeyboardInterrupt,
}
SCRIPTS = st.lists(st.lists(st.sampled_from(sorted(OUTCOMES)), max_size=8), min_size=2, max_size=6)
"""What the calls of each thread do."""

pytestmark = pytest.mark.usefixtures("restless")


def play(outcome: str) -> None:
    """Do what a script says."""
    if error := OUTCOMES[outcome]:
        raise error


def outcome_of(call: Callable[[], object]) -> str:
    """Make a call and say how it ended, as the metrics should have it."""
    try:
        call()
    except CircuitBreakerError:
        return "rejected"
    except KeyError:
        return "success"
    except (ConnectionError, KeyboardInterrupt):
        return "failure"
    return "success"


@ROUNDS
@given(SCRIPTS, st.integers(1, 4), st.integers(1, 3))
def test_no_count_is_lost(scripts: list[list[str]], fail_max: int, attempts: int) -> None:
    """Threads whose calls end in every way, with a breaker that opens, add up to the metrics."""
    bench = Bench()
    guard = bench.guard(
        fail_max=fail_max, attempts=attempts, reset_timeout_s=0, ignored=(KeyError,)
    )

    def work(script: list[str]) -> list[str]:
        return [outcome_of(partial(guard.call, play, each)) for each in script]

    by_thread = in_threads(*(partial(work, script) for script in scripts))
    ended = Counter(chain.from_iterable(by_thread))
    assert bench.calls() == (ended["success"], ended["failure"], ended["rejected"])
    assert len(bench.slept) >= (bench.sample("retries_total") or 0)


@ROUNDS
@given(st.integers(2, 8), st.integers(1, 5), st.integers(1, 3))
def test_failures_let_through_are_bounded(threads: int, fail_max: int, attempts: int) -> None:
    """At most fail_max failures and the calls in flight beside the last one reach the function."""
    bench, lock, reached = Bench(), threading.Lock(), 0
    guard = bench.guard(fail_max=fail_max, attempts=attempts)

    def fail() -> None:
        nonlocal reached
        with lock:
            reached += 1
        raise ConnectionError

    def work() -> list[str]:
        return [outcome_of(lambda: guard.call(fail)) for _ in range(fail_max + 1)]

    in_threads(*[work] * threads)
    assert fail_max <= reached <= fail_max + threads - 1
    assert guard.state == "open"
    assert bench.transitions() == {"open": 1, "half-open": 0, "closed": 0}


@ROUNDS
@given(st.integers(2, 8), st.integers(1, 2))
def test_failures_that_arrive_together_open_the_breaker_once(threads: int, fail_max: int) -> None:
    """Calls that are inside together and fail together are no probes, in any order."""
    bench, meeting = Bench(), threading.Barrier(threads)
    guard = bench.guard(fail_max=fail_max, attempts=1, reset_timeout_s=0)

    def fail() -> None:
        meeting.wait(PATIENCE_S)
        raise ConnectionError

    in_threads(*[lambda: exhaust(lambda: guard.call(fail))] * threads)
    assert guard.state == "open"
    assert bench.transitions() == {"open": 1, "half-open": 0, "closed": 0}


@ROUNDS
@given(st.integers(2, 8), st.sampled_from(sorted(OUTCOMES)))
def test_one_call_probes(threads: int, outcome: str) -> None:
    """Of calls that begin at once after the reset time one goes through, and the rest do not."""
    bench, inside, rejected = Bench(), 0, threading.Semaphore(0)
    guard = bench.guard(fail_max=1, attempts=1, reset_timeout_s=0, ignored=(KeyError,))
    exhaust(lambda: guard.call(Flaky(1)))

    def probe() -> None:
        nonlocal inside
        inside += 1
        for _ in range(threads - 1):
            assert rejected.acquire(timeout=PATIENCE_S)
        play(outcome)

    def work() -> None:
        if outcome_of(lambda: guard.call(probe)) == "rejected":
            rejected.release()

    in_threads(*[work] * threads)
    assert inside == 1
    states = {"fails": "open", "is interrupted": "half-open"}
    assert guard.state == states.get(outcome, "closed")


@pytest.mark.parametrize("failures", [0, 1], ids=["calm", "counting"])
def test_calls_are_inside_at_once(bench: Bench, failures: int) -> None:
    """Two threads are in the guarded function at the same time, also while failures count."""
    guard, meeting = bench.guard(attempts=1), threading.Barrier(2)
    exhaust(lambda: guard.call(Flaky(99)), times=failures)

    def meet() -> int:
        return guard.call(meeting.wait, PATIENCE_S)

    assert sorted(in_threads(meet, meet)) == [0, 1]


def test_blocks_are_inside_at_once(bench: Bench) -> None:
    """Two threads are in guarded blocks at the same time."""
    guard, meeting = bench.guard(), threading.Barrier(2)

    def meet() -> int:
        with guard.context():
            return meeting.wait(PATIENCE_S)

    assert sorted(in_threads(meet, meet)) == [0, 1]


def test_retries_are_inside_at_once(bench: Bench) -> None:
    """Two threads are in second attempts at the same time."""
    guard, meeting = bench.guard(fail_max=9), threading.Barrier(2)

    def meet() -> int:
        flaky = Flaky(1)
        return guard.call(lambda: (flaky(), meeting.wait(PATIENCE_S))[1])

    assert sorted(in_threads(meet, meet)) == [0, 1]


def test_breaker_works_while_a_call_is_inside(bench: Bench) -> None:
    """During a call that hangs, others fail, open the breaker, are rejected, and are scraped."""
    guard, entered, leave = (
        bench.guard(attempts=1, fail_max=2),
        threading.Event(),
        threading.Event(),
    )

    def hang() -> bool:
        entered.set()
        return leave.wait(PATIENCE_S)

    def others() -> str:
        assert entered.wait(PATIENCE_S)
        try:
            exhaust(lambda: guard.call(Flaky(9)), times=2)
            with pytest.raises(CircuitBreakerError):
                guard.call(Flaky(0))
            return generate_latest(bench.registry).decode()
        finally:
            leave.set()

    was_let_go, text = in_threads(lambda: guard.call(hang), others)
    assert was_let_go
    assert 'resilience_breaker_state{guard="database"} 2.0' in text
    assert guard.state == "open"


def test_a_probe_that_hangs_holds_nobody_up(bench: Bench) -> None:
    """While a probe hangs, others are rejected at once and do not wait for it."""
    guard, entered, leave = (
        bench.guard(attempts=1, fail_max=1),
        threading.Event(),
        threading.Event(),
    )
    exhaust(lambda: guard.call(Flaky(1)))
    bench.now_s += 60

    def hang() -> bool:
        entered.set()
        return leave.wait(PATIENCE_S)

    def other() -> None:
        assert entered.wait(PATIENCE_S)
        try:
            with pytest.raises(CircuitBreakerError):
                guard.call(Flaky(0))
        finally:
            leave.set()

    assert in_threads(lambda: guard.call(hang), other) == [True, None]
    assert guard.state == "closed"


def test_scrapes_in_between_lose_nothing(bench: Bench) -> None:
    """Scrapes during the calls of eight threads only ever rise, and end at the exact count."""
    guarded, each, threads = bench.guard()(lambda: None), 3 * FULL, 8

    def work() -> None:
        for _ in range(each):
            guarded()

    def scrape() -> list[float]:
        return [bench.sample("calls_total", outcome="success") or 0 for _ in range(100)]

    *_, first, second = in_threads(*[work] * threads, scrape, scrape)
    for seen in (first, second):
        assert seen == sorted(seen)
    assert bench.calls() == (each * threads, 0, 0)
    labels = {"outcome": "success", "le": "+Inf"}
    assert bench.sample("call_seconds_bucket", **labels) == each * threads


@pytest.mark.parametrize("failures", [0, 1])
def test_counts_are_right_under_eight_threads(bench: Bench, failures: int) -> None:
    """Eight threads that share a guard lose no call and no retry, whether or not calls fail."""
    guard = bench.guard(fail_max=10**9)

    def work() -> None:
        for _ in range(100):
            guard.call(Flaky(failures))

    in_threads(*[work] * 8)
    assert bench.calls() == (800, 0, 0)
    assert bench.sample("retries_total") == 800 * failures


@pytest.mark.parametrize("failures", [0, 2])
def test_tasks_share_a_guard(bench: Bench, failures: int) -> None:
    """A hundred tasks that share a guard each have their own retry, and all are counted."""
    guard = bench.guard(fail_max=10**9)
    flaky = [Flaky(failures) for _ in range(100)]
    results = in_tasks(*(partial(guard.call_async, each.awaited) for each in flaky))
    assert results == ["done"] * 100
    assert [each.calls for each in flaky] == [failures + 1] * 100
    assert bench.calls() == (100, 0, 0)
    assert bench.sample("retries_total") == 100 * failures


def test_tasks_are_inside_at_once(bench: Bench) -> None:
    """Two tasks are in guarded coroutines at the same time."""
    first, second = asyncio.Event(), asyncio.Event()
    guard: Guard = bench.guard()

    @guard
    async def meet(mine: asyncio.Event, other: asyncio.Event) -> str:
        mine.set()
        await other.wait()
        return "met"

    assert in_tasks(lambda: meet(first, second), lambda: meet(second, first)) == ["met", "met"]


def test_one_task_probes(bench: Bench) -> None:
    """Of tasks that call at once after the reset time one goes through."""
    guard = bench.guard(fail_max=1, attempts=1, reset_timeout_s=0)
    exhaust(lambda: guard.call(Flaky(1)))
    results = in_tasks(*[lambda: guard.call_async(Flaky(0).awaited)] * 8)
    assert results.count("done") == 1
    assert sum(isinstance(result, CircuitBreakerError) for result in results) == 7
    assert guard.state == "closed"
