"""The loops of a caller: how often they call, when they stop, and what they note."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience_bench._model import BUCKET
from resilience_bench.worker import load_loops
from resilience_bench.worker.load_loops import (
    GAP,
    build_histogram,
    compute_durations,
    make_fixed_loop,
    make_loop,
    make_single_call,
    make_timed_loop,
    measure_clock_cost,
    run_if_coroutine,
)
from resilience_bench.worker.operations import Operation

KINDS = [
    pytest.param(is_async, raises, id=f"{'async' if is_async else 'sync'}{' raising' * raises}")
    for is_async in (False, True)
    for raises in (False, True)
]


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by 10 ns whenever it is read, from 0."""
    monkeypatch.setattr(load_loops, "clock", itertools.count(0, 10).__next__)


class Counting:
    """An operation that counts its calls, and raises a KeyError if it is to."""

    def __init__(self, *, is_async: bool, raises: bool) -> None:
        self.calls = 0
        self._raises = raises
        call = self.call_async if is_async else self.call
        self.operation = Operation(call, is_async, (KeyError,) if raises else ())

    def call(self) -> None:
        """Count, and raise."""
        self.calls += 1
        if self._raises:
            raise KeyError

    async def call_async(self) -> None:
        """Do so in a coroutine."""
        await asyncio.sleep(0)
        self.call()


@pytest.mark.usefixtures("ticking")
@pytest.mark.parametrize(("is_async", "raises"), KINDS)
@pytest.mark.parametrize(
    ("closes_ns", "chunk", "reported"),
    [(25, 1, (3, 30)), (25, 7, (21, 30)), (40, 5, (20, 40))],
)
def test_a_loop_calls_in_chunks_until_the_window_has_closed(  # noqa: PLR0913
    closes_ns: int,
    chunk: int,
    reported: tuple[int, int],
    runner: asyncio.Runner,
    *,
    is_async: bool,
    raises: bool,
) -> None:
    """The clock is read once a chunk, and what is reported is what was called."""
    counting = Counting(is_async=is_async, raises=raises)
    calling = make_loop(counting.operation)
    assert run_if_coroutine(calling(closes_ns, chunk), runner) == reported
    assert counting.calls == reported[0]


@pytest.mark.usefixtures("ticking")
@pytest.mark.parametrize(("is_async", "raises"), KINDS)
@pytest.mark.parametrize("count", [0, 1, 20])
def test_a_fixed_loop_makes_so_many_calls_whatever_the_time(
    count: int, runner: asyncio.Runner, *, is_async: bool, raises: bool
) -> None:
    """The clock is read once, when all calls have ended."""
    counting = Counting(is_async=is_async, raises=raises)
    calling = make_fixed_loop(counting.operation)
    assert run_if_coroutine(calling(-1, count), runner) == (count, 0)
    assert counting.calls == count


@pytest.mark.parametrize(("is_async", "raises"), KINDS)
def test_nothing_is_called_after_the_window_has_closed(
    runner: asyncio.Runner, *, is_async: bool, raises: bool
) -> None:
    """A caller that comes too late ends at once, and tells when."""
    counting = Counting(is_async=is_async, raises=raises)
    calls, ended_ns = run_if_coroutine(make_loop(counting.operation)(0, 100), runner)
    assert (calls, counting.calls) == (0, 0)
    assert ended_ns > 0
    stamps = run_if_coroutine(make_timed_loop(counting.operation)(0, 100, 1000), runner)
    assert compute_durations(stamps) == []
    assert counting.calls == 0


@pytest.mark.usefixtures("ticking")
@pytest.mark.parametrize(("is_async", "raises"), KINDS)
def test_what_nobody_expects_is_raised(
    runner: asyncio.Runner, *, is_async: bool, raises: bool
) -> None:
    """Only the promised exception is caught, in all loops."""

    def call() -> None:
        raise ZeroDivisionError

    async def call_async() -> None:
        raise ZeroDivisionError

    operation = Operation(call_async if is_async else call, is_async, (KeyError,) if raises else ())
    with pytest.raises(ZeroDivisionError):
        run_if_coroutine(make_loop(operation)(1000, 2), runner)
    with pytest.raises(ZeroDivisionError):
        run_if_coroutine(make_timed_loop(operation)(1000, 2, 10), runner)
    with pytest.raises(ZeroDivisionError):
        run_if_coroutine(make_fixed_loop(operation)(1000, 2), runner)
    if not is_async:
        with pytest.raises(ZeroDivisionError):
            make_single_call(operation)()


@pytest.mark.parametrize("make", [make_loop, make_timed_loop, make_fixed_loop])
@pytest.mark.parametrize(("is_async", "raises"), KINDS)
def test_every_subject_has_a_loop_of_its_own(
    make: Callable[[Operation], Any], *, is_async: bool, raises: bool
) -> None:
    """Bytecode that CPython adapted to one operation is never another's."""
    operation = Counting(is_async=is_async, raises=raises).operation
    first, second = make(operation), make(operation)
    assert first.func.__code__ is not second.func.__code__


@pytest.mark.usefixtures("ticking")
@pytest.mark.parametrize("make", [make_loop, make_timed_loop])
@pytest.mark.parametrize("raises", [False, True])
def test_tasks_that_never_wait_take_turns(
    make: Callable[[Operation], Any], runner: asyncio.Runner, *, raises: bool
) -> None:
    """After each chunk another task gets the loop, though the operation never gives it up."""
    order: list[str] = []

    def caller(name: str) -> Any:
        async def call() -> None:
            order.append(name)
            if raises:
                raise KeyError

        operation = Operation(call, is_async=True, raises=(KeyError,) if raises else ())
        more = () if make is make_loop else (1000,)
        return make(operation)(120, 2, *more)

    async def both() -> None:
        await asyncio.gather(caller("a"), caller("b"))

    runner.run(both())
    assert "".join(order).startswith("aabbaabb")


@pytest.mark.usefixtures("ticking")
@pytest.mark.parametrize("raises", [False, True])
def test_a_timed_loop_notes_the_end_of_each_call(runner: asyncio.Runner, *, raises: bool) -> None:
    """The end of a call is the start of the next one; so there is one time more than calls."""
    counting = Counting(is_async=False, raises=raises)
    stamps = run_if_coroutine(make_timed_loop(counting.operation)(35, 2, 1000), runner)
    assert stamps == [0, 10, 20, 30, 40]
    assert compute_durations(stamps) == [10] * counting.calls


@pytest.mark.usefixtures("ticking")
@pytest.mark.parametrize("raises", [False, True])
def test_what_other_tasks_do_is_no_call(runner: asyncio.Runner, *, raises: bool) -> None:
    """The time in which the others had the loop belongs to no call."""
    counting = Counting(is_async=True, raises=raises)
    stamps = run_if_coroutine(make_timed_loop(counting.operation)(55, 2, 1000), runner)
    assert stamps == [0, 10, 20, GAP, 30, 40, 50, GAP, 60]
    assert compute_durations(stamps) == [10] * counting.calls
    assert counting.calls == 4


@pytest.mark.usefixtures("ticking")
@pytest.mark.parametrize("is_async", [False, True])
def test_a_timed_loop_notes_no_more_than_it_may(runner: asyncio.Runner, *, is_async: bool) -> None:
    """A fast operation in a long window does not fill the memory: the chunk is finished."""
    counting = Counting(is_async=is_async, raises=False)
    stamps = run_if_coroutine(make_timed_loop(counting.operation)(10**9, 5, 12), runner)
    assert len(compute_durations(stamps)) == counting.calls == (10 if is_async else 15)


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ([], []),
        ([5], []),
        ([5, 8, 8], [3, 0]),
        ([GAP], []),
        ([5, GAP, 9], []),
        ([5, 6, GAP, 9, 14, GAP, 20], [1, 5]),
    ],
)
def test_differences_leave_out_what_stands_apart(stamps: list[int], expected: list[int]) -> None:
    """Only neighbours that are the start and the end of a call are a call."""
    assert compute_durations(stamps) == expected


@given(st.lists(st.integers(1, 10**12), max_size=50))
def test_every_latency_is_in_its_bucket(latencies_ns: list[int]) -> None:
    """Nothing is lost, and a bucket is 2 % wide."""
    counts = build_histogram(latencies_ns)
    assert sum(counts.values()) == len(latencies_ns)
    for latency_ns in latencies_ns:
        [bucket] = build_histogram([latency_ns])
        # What lies on the edge may fall to either side: logarithms are rounded.
        assert BUCKET**bucket <= latency_ns * (1 + 1e-9)
        assert latency_ns <= BUCKET ** (bucket + 1) * (1 + 1e-9)
        assert counts[bucket] >= 1


def test_a_call_that_took_no_time_is_counted() -> None:
    """A coarse clock may show nothing at all between two calls."""
    assert build_histogram([0, 0, 1]) == {0: 3}
    assert build_histogram([]) == {}


@pytest.mark.usefixtures("ticking")
@pytest.mark.parametrize("raises", [False, True])
def test_once_is_a_window_of_one_call(*, raises: bool) -> None:
    """It calls once, and tells when that had ended."""
    counting = Counting(is_async=False, raises=raises)
    called = make_single_call(counting.operation)
    assert [called(), called()] == [(1, 0), (1, 10)]
    assert counting.calls == 2


@pytest.mark.parametrize("is_async", [False, True])
def test_the_cost_of_the_clock_is_a_number(runner: asyncio.Runner, *, is_async: bool) -> None:
    """It is finite, and never below zero, whatever else the machine does."""
    costs_ns = [measure_clock_cost(runner, is_async=is_async) for _ in range(3)]
    assert all(math.isfinite(each) and each >= 0 for each in costs_ns)


@pytest.mark.parametrize("is_async", [False, True])
def test_the_cost_of_a_clock_that_goes_by_itself_is_reported(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch, *, is_async: bool
) -> None:
    """It is reported for a call: what the clock goes on by at each reading."""
    monkeypatch.setattr(load_loops, "clock", itertools.count(0, 10_000).__next__)
    monkeypatch.setattr(
        load_loops, "make_sampler", lambda _operation, _runner: lambda _calls, _warm: 0
    )
    assert measure_clock_cost(runner, is_async=is_async) == 10_000
